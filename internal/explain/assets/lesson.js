// The lesson: the stacked layer as a short walk with the grid beside it. What it
// says of the numbers is counted by the engine.

let chapter = 0;
const mistakes = { every: true, inplace: true, noclone: false };

const chapters = [
  ['The idea', idea],
  ['One set of parameters per layer', parameterSets],
  ['The pair that comes out', outputPair],
  ['A chain of single layers', chain],
  ['The loop by hand', loopByHand],
  ['The mistake', theMistake],
];

function lessonTab() {
  const [title, fill] = chapters[chapter], body = el('div');
  const turn = by => () => { chapter = clamp(chapter + by, 0, chapters.length - 1); lessonTab(); };
  const back = button('lback', 'Back', turn(-1), { disabled: chapter === 0 });
  const next = button('lnext', 'Next', turn(1), { disabled: chapter === chapters.length - 1 });
  if (fill !== theMistake && S.marks) { S.marks = null; draw(); }
  const held = document.activeElement && $('lesson').contains(document.activeElement) ? document.activeElement.id : '';
  $('lesson').replaceChildren(text('h2', `${chapter + 1} of ${chapters.length}. ${title}`), body, row(back, next));
  fill(body);
  const again = held && $(held);
  if (again) (again.disabled ? (again === back ? next : back) : again).focus();
}

function idea(body) {
  body.append(
    math('h_t^{l} = \\tanh\\left(W_{ih}^{l} h_t^{l-1} + b_{ih}^{l} + W_{hh}^{l} h_{t-1}^{l} + b_{hh}^{l}\\right)'),
    math('h_t^{0} = x_t'),
    text('p', 'A cell takes two things: the cell below it, at the same time, and the cell beside it, one step earlier. For the first layer the one below is x.'),
    text('p', 'Play the grid to see in which order the cells can be computed.'),
    S.cfg.mode === 'RNN_TANH' ? '' : hint(`This model is ${S.cfg.mode}: another cell, the same two arrows. Open a cell for its equations.`));
}

function parameterSets(body) {
  const rows = S.params.map(p => [link('to-parameter', p.name, () => toNumber(p.name, 0)), `[${p.shape.join(', ')}]`]);
  body.append(
    text('p', `Every step of a layer uses the same parameters; every layer${S.D === 2 ? ' and direction' : ''} has its own. PyTorch counts layers from 0.`),
    table(['parameter', 'shape'], rows),
    text('p', 'weight_ih of layer 0 is as wide as the input. Above, it is as wide as what the layer below puts out.'));
}

function outputPair(body) {
  const one = 'output is the top row of the grid, h_n its last column. The cell in the corner is in both: the last row of output is the last row of h_n, because it is the same hidden state.';
  const two = 'output is the top layer, both directions side by side. h_n is where each direction ends: forward in the last column, reverse in the first. The last row of output holds the reverse direction after its first step only.';
  const corner = (name, i) => link('corner', name, () => go(i, directionOf(i) ? 0 : S.steps - 1, 0));
  const corners = range(S.D).map(d => [S.lanes - S.D + d, S.D === 1 ? 'the corner' : ['where forward ends', 'where reverse ends'][d]]);
  body.append(text('p', S.D === 1 ? one : two), el('p', {}, 'Go to ', ...corners.flatMap(([i, name], k) => [k ? ' or ' : '', corner(name, i)]), '.'));
}

function chain(body) {
  const verdict = el('p', { id: 'chain' });
  body.append(text('p', 'Take a single layer for each layer of the stack, with the stack’s parameters. Feed the first one x, and every other one the output of the one below. The last output is the stack’s output.'), pythonCode([
    'y = input',
    'for layer in layers:',
    '    y, h_n = layer(y)',
  ]), verdict);
  engine.call('chain').then(r => {
    verdict.textContent = `${r.numbers - r.wrong} of ${r.numbers} numbers of output are equal, bit for bit.`;
    verdict.className = r.wrong ? 'bad' : 'ok';
  }, e => failed(body, e));
}

function loopByHand(body) {
  body.append(
    loopCode({ every: false, inplace: false, noclone: false }),
    text('p', 'The input of layer 0 is x[t]; of every other layer it is h_t[layer-1], computed a moment before. Play the grid: the marked line is at work.'));
}

function theMistake(body) {
  const names = { every: 'x[t] for every layer', inplace: 'h_t written over h_t_minus_1', noclone: 'output.append without clone' };
  body.append(text('p', 'The loop in PyTorch’s old documentation feeds x[t] to every layer, and keeps both states in one tensor. Switch each mistake on and off:'));
  for (const k in mistakes) {
    const box = control('input', 'm-' + k, { id: 'm-' + k, type: 'checkbox', checked: mistakes[k] });
    box.onchange = () => { mistakes[k] = box.checked; lessonTab(); };
    body.append(row(el('label', {}, box, ' ' + names[k])));
  }
  if (data.example && S.cfg.hidden_size === 4 && [3, 4].includes(S.I)) {
    const fits = S.I === 4;
    body.append(row(button('sizes', fits ? 'Back to input_size 3' : 'Take input_size 4', () => changeSizes(fits ? 3 : 4)),
      text('span', fits ? 'Here the sizes fit, so that nothing stops the loop.' : 'Where the sizes fit, nothing stops the loop.', 'hint')));
  }
  const verdict = el('div', { id: 'loopresult' });
  body.append(loopCode(mistakes), verdict);
  engine.call('loop', { loop: mistakes }).then(r => {
    if (!verdict.isConnected) return;
    S.marks = r.bin;
    draw();
    verdict.replaceChildren(...loopVerdict(r));
  }, e => failed(verdict, e));
}

async function changeSizes(n) {
  try {
    await renew(await engine.call('inputs', { n }));
    fit();
  } catch (e) {
    status(e.message);
  }
}

function loopVerdict(r) {
  const out = [], wrong = r.output > 0 || r.states > 0;
  if (r.break) {
    out.push(text('p', `Step ${r.break.step}, layer ${r.break.layer}: ${r.message}.`, 'bad'),
      text('p', `x[${r.break.step}] has ${r.break.left[1]} numbers; weight_ih_l${r.break.layer} takes the ${r.break.right[0]} of the layer below. The faded cells are never computed.`));
  } else if (wrong) {
    const where = r.firstStep >= 0 ? `, first in step ${r.firstStep}, layer ${r.firstLayer}. The framed cells differ.` : ': every row is the last state.';
    out.push(text('p', `${r.output} of ${r.numbers} numbers of output are wrong${where}`, 'bad'));
  } else {
    out.push(text('p', `All ${r.numbers} numbers of output are right, bit for bit.`, 'ok'));
  }
  if (r.overwritten && mistakes.inplace) {
    out.push(text('p', 'The h_0 that was handed in has been written over. Each layer reads its row before it writes it, so this alone changes no number of output; but autograd refuses it.'));
  }
  return out;
}

// loopCode is the loop's text with the chosen mistakes, underlined.
function loopCode(m) {
  const input = m.every ? 'x[t]' : '(x[t] if layer == 0\n             else h_t[layer-1])';
  return pythonCode([
    'for t in range(seq_len):',
    '    for layer in range(num_layers):',
    '        h_t[layer] = tanh(',
    `            ${input}`,
    '            @ weight_ih[layer].T + bias_ih[layer]',
    '            + h_t_minus_1[layer]',
    '            @ weight_hh[layer].T + bias_hh[layer])',
    `    output.append(h_t[-1]${m.noclone ? '' : '.clone()'})`,
    `    h_t_minus_1 = h_t${m.inplace ? '' : '.clone()'}`,
  ], [m.every && 3, m.noclone && 7, m.inplace && 8]);
}

function pythonCode(lines, wrong = []) {
  return el('pre', { className: 'code' }, ...lines.map((line, i) => {
    const code = line.trimStart();
    return el('span', {}, line.slice(0, -code.length), text('span', code, wrong.includes(i) ? 'wrong' : ''), '\n');
  }));
}

// markLoopLine marks the line of the loop that is at work while the grid plays.
function markLoopLine() {
  const lines = document.querySelectorAll('#lesson .code > span');
  if (lines.length < 9) return;
  const from = layerOf(S.lane) === 0 ? 2 : 3;
  lines.forEach((line, i) => line.classList.toggle('now', S.cursor >= 0 && (i === 1 || i === from)));
}
