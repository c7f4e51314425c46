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
  if (fill !== theMistake && S.marks) { S.marks = S.loop = null; draw(); }
  const held = document.activeElement && $('lesson').contains(document.activeElement) ? document.activeElement.id : '';
  $('lesson').replaceChildren(text('h2', `${chapter + 1} of ${chapters.length}. ${title}`), body, row(back, next));
  fill(body);
  const again = held && $(held);
  if (again) (again.disabled ? (again === back ? next : back) : again).focus();
}

function idea(body) {
  body.append(
    ...S.idea.map(e => math(e)),
    text('p', 'A cell takes two things: the cell below it, at the same time, and the cell beside it, one step earlier. For the first layer the one below is x.'),
    text('p', 'h_t^l is the state of layer l after step t. Steps count from 0 and layers from 1; before the first step a layer has h_init^l.'),
    text('p', 'Play the grid to see in which order the cells can be computed.'));
}

function parameterSets(body) {
  const rows = S.params.map(p => [link('to-parameter', p.name, () => toNumber(p.name, 0)), symbolOf(p.name), `[${p.shape.join(', ')}]`]);
  body.append(
    text('p', `Every step of a layer uses the same parameters; every layer${S.D === 2 ? ' and direction' : ''} has its own. PyTorch’s names count layers from 0: W_ih^1 is weight_ih_l0, and h_init^1 is h_0[0].`),
    table(['parameter', 'in formulas', 'shape'], rows),
    text('p', 'weight_ih of layer 1 is as wide as the input. Above, it is as wide as what the layer below puts out.'));
}

// symbolOf is a parameter as formulas have it: weight_ih_l0 is W_ih^1.
function symbolOf(name) {
  const m = /^(weight|bias)_(\w+)_l(\d+)(_reverse)?$/.exec(name);
  if (!m) return '';
  const letter = m[2] === 'peephole' ? 'p' : (m[1] === 'weight' ? 'W_' : 'b_') + m[2];
  return `${letter}^${+m[3] + 1}${m[4] || S.backwards ? '←' : S.D === 2 ? '→' : ''}`;
}

function outputPair(body) {
  const one = 'output is the top row of the grid, h_n its ' + (S.backwards ? 'first' : 'last') + ' column. The cell in the corner is in both: the ' + (S.backwards ? 'first' : 'last') + ' row of output is the last row of h_n, because it is the same hidden state.';
  const two = 'output is the top layer, both directions side by side. h_n is where each direction ends: forward in the last column, reverse in the first. The last row of output holds the reverse direction after its first step only.';
  const corner = (name, i) => link('corner', name, () => go(i, reversed(i) ? 0 : S.steps - 1, 0));
  const corners = range(S.D).map(d => [S.lanes - S.D + d, S.D === 1 ? 'the corner' : ['where forward ends', 'where reverse ends'][d]]);
  body.append(text('p', S.D === 1 ? one : two), el('p', {}, 'Go to ', ...corners.flatMap(([i, name], k) => [k ? ' or ' : '', corner(name, i)]), '.'));
}

function chain(body) {
  const verdict = el('p', { id: 'chain' }), program = el('div', { id: 'program' });
  body.append(text('p', 'Take a single layer for each layer of the stack, with the stack’s parameters. Feed the first one x, and every other one the output of the one below. The last output is the stack’s output.'), pythonCode([
    'y = input',
    'for layer in layers:',
    '    y, h_n = layer(y)',
  ]), verdict, program);
  engine.call('chain').then(r => {
    verdict.textContent = `${r.numbers - r.wrong} of ${r.numbers} numbers of output are equal, bit for bit.`;
    verdict.className = r.wrong ? 'bad' : 'ok';
    if (!r.code) return;
    const copy = button('copycode', 'Copy', async () => {
      try {
        await navigator.clipboard.writeText(r.code.join('\n') + '\n');
        status('the program is copied');
      } catch {
        getSelection().selectAllChildren(program.querySelector('pre'));
        status('the program is selected');
      }
    });
    program.replaceChildren(text('p', 'To try it with PyTorch, as it stands:'), pythonCode(r.code), row(copy));
  }, e => failed(body, e));
}

function loopByHand(body) {
  const code = el('div');
  body.append(code, text('p', S.D === 2
    ? 'With two directions a layer is finished in both, before the layer above can begin. Play the grid: the marked line is at work.'
    : 'The input of the first layer is x[t]; of every other layer it is h_t[layer-1], computed a moment before. Play the grid: the marked line is at work.'));
  engine.call('loop', { loop: {} }).then(r => code.replaceChildren(loopCode(r.code)), e => failed(body, e));
}

function theMistake(body) {
  const both = S.D === 2, names = { every: `${both ? 'x' : 'x[t]'} for every layer`, inplace: 'h_t written over h_t_minus_1', noclone: `${both ? 'output[t]' : 'output.append'} without clone` };
  body.append(text('p', `The loop in PyTorch’s old documentation feeds x[t] to every layer, and keeps both states in one tensor. Below it is written for this layer, ${S.cfg.mode}${both ? ' in both directions' : ''}. Switch each mistake on and off:`));
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
  const verdict = el('div', { id: 'loopresult' }), code = el('div');
  body.append(verdict, code);
  engine.call('loop', { loop: mistakes }).then(r => {
    if (!verdict.isConnected || $('lesson').hidden) return;
    const cells = S.lanes * S.steps;
    S.marks = r.bin.subarray(0, cells);
    S.ofOutput = r.bin.subarray(cells, 2 * cells);
    S.wrong = r.bin.subarray(2 * cells);
    draw();
    code.replaceChildren(loopCode(r.code));
    const beside = el('div', { id: 'beside' });
    verdict.replaceChildren(...loopVerdict(r), beside);
    if (r.break && !$('sizes')) {
      verdict.append(row(button('fit', `Take input_size ${S.size * S.D}`, fitSizes), text('span', 'Where the sizes fit, nothing stops the loop. The input and weight_ih_l0 are drawn (seed 0); Undo brings yours back.', 'hint')));
    }
    compare(r);
  }, e => failed(verdict, e));
}

// compare shows the loop's numbers beside the right ones: of the chosen cell if
// the loop gets it wrong, else of the first that it does.
async function compare(r) {
  const box = $('beside');
  if (!box) return;
  S.loop = r;
  let { lane, t } = S;
  const marked = (i, s) => S.marks[i * S.steps + s] > 0;
  if (lane < 0 || !marked(lane, t)) {
    if (r.firstStep >= 0) [lane, t] = [r.firstLayer * S.D + r.firstDirection, r.firstStep];
    else {
      const first = S.marks.findIndex(n => n > 0);
      if (first < 0) return;
      [lane, t] = [Math.floor(first / S.steps), first % S.steps];
    }
  }
  const at = lane * S.steps + t, ours = S.wrong.subarray(at * S.size, (at + 1) * S.size);
  const right = (await engine.call('values', { what: 'h', lane, from: t, to: t + 1 })).bin;
  if ($('beside') !== box) return;
  const differ = range(S.size).filter(u => full(ours[u]) !== full(right[u])), shown = S.size > 12 ? differ.slice(0, 12) : range(S.size);
  const half = S.D === 2 ? [', forward', ', reverse'][directionOf(lane)] : '', name = S.ofOutput[at] ? `output[${t}]${half}` : `${laneName(lane)}, step ${t}`;
  box.replaceChildren(text('h3', `${name}: right, and in the loop`), table(['unit', 'right', 'the loop'], shown.map(u => [u, full(right[u]), text('span', full(ours[u]), differ.includes(u) ? 'bad' : '')])),
    hint((S.size > 12 ? `${shown.length} of ${differ.length} wrong units. ` : '') + `The framed cells of the grid show the loop’s numbers${S.ofOutput[at] ? ', as they are in output; the states are right' : ''}. Choose another of them to compare.`));
}

// fitSizes goes on with an input as wide as what the layers above take.
async function fitSizes() {
  try {
    const about = await engine.call('fit');
    Object.assign(S, { kind: 'vectors', labels: null, columns: null, foreign: true, u: 0 });
    await renew(about);
    notice(`This is the layer with input_size ${S.I}, on ${S.steps} steps of drawn numbers (seed 0). Undo brings back what was here before.`);
    fit();
  } catch (e) {
    status(e.message);
  }
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
    out.push(text('p', `At t = ${r.break.step}, layer = ${r.break.layer} (${laneName(r.break.layer * S.D)}): ${r.message}.`, 'bad'),
      text('p', `x[${r.break.step}] has ${r.break.left[1]} numbers; weight_ih_l${r.break.layer} takes the ${r.break.right[0]} of the layer below${S.D === 2 ? ', both directions' : ''}. The faded cells are never computed.`));
  } else if (wrong) {
    const last = S.D === 2 ? ': every row has the last state of each direction.' : ': every row is the last state.';
    const where = r.firstStep >= 0 ? `, first in step ${r.firstStep}, ${laneName(r.firstLayer * S.D + r.firstDirection)}.` : last;
    out.push(text('p', `${r.output} of ${r.numbers} numbers of output are wrong${where}`, 'bad'));
  } else {
    out.push(text('p', `All ${r.numbers} numbers of output are right, bit for bit.`, 'ok'));
  }
  if (r.overwritten && mistakes.inplace) {
    out.push(text('p', 'The h_0 that was handed in has been written over. Each layer reads its row before it writes it, so this alone changes no number of output; but autograd refuses it.'));
  }
  return out;
}

// loopCode is the loop's text as the engine has it, mistakes underlined.
function loopCode(lines) {
  return el('pre', { className: 'code' }, ...lines.map(line => {
    const code = line.text.trimStart();
    return el('span', { data: { now: line.now || '' } }, line.text.slice(0, line.text.length - code.length), text('span', code, line.wrong ? 'wrong' : ''), '\n');
  }));
}

const pythonCode = lines => loopCode(lines.map(text => ({ text })));

// markLoopLine marks the lines of the loop that are at work while the grid plays.
function markLoopLine() {
  const here = layerOf(S.lane) === 0 ? 'first' : 'above';
  for (const line of document.querySelectorAll('#lesson .code > span')) line.classList.toggle('now', S.cursor >= 0 && ['all', here].includes(line.dataset.now));
}
