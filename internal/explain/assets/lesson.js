// The lesson: the page's chain as a walk with the grid beside it.
const listing = ['for t in range(seq_len):', '    for layer in range(num_layers):', '        h_t[layer] = tanh(', '            INPUT @ weight_ih[layer].T + bias_ih[layer]', '            + h_t_minus_1[layer] @ weight_hh[layer].T + bias_hh[layer])', '    output.append(h_t[-1].clone())', '    h_t_minus_1 = h_t.clone()'];
let chapter = 0;
const mistake = { every: true, inplace: true, noclone: false };
const chapters = [
  ['The idea', b => { b.append(math('h_t^{l} = \\tanh\\left(W_{ih}^{l} h_t^{l-1} + b_{ih}^{l} + W_{hh}^{l} h_{t-1}^{l} + b_{hh}^{l}\\right), \\quad h_t^{0} = x_t'), el('p', { textContent: 'Each cell takes two things: the cell below it, at the same time, and the cell beside it, one step earlier. For the first layer the one below is x. Play the grid to see the order.' })); }],
  ['One set of parameters per layer', b => { b.append(el('p', { textContent: 'Every step of a layer uses the same parameters; another layer has its own.' })); const t = el('table'); for (const p of S.params) t.append(el('tr', {}, el('td', {}, link(p.name, () => toWeight(p.name, 0))), el('td', { textContent: '[' + p.shape + ']' }))); b.append(t); }],
  ['The pair that comes out', b => { b.append(el('p', { textContent: S.D === 1 ? 'output is the top row, h_n the last column. The corner is in both: the last row of output is the last row of h_n, because it is the same hidden state.' : 'output is the top layer, both directions. h_n is where each direction ends: forward in the last column, reverse in the first.' })); b.append(el('p', {}, link('go to the corner', () => go(S.lanes - S.D, S.steps - 1, 0)))); }],
  ['A chain of single layers', b => { b.append(el('p', { textContent: 'Single layers that share the stack’s parameters, each fed the output of the one below, compute the same.' })); const r = el('p', { id: 'chain' }); b.append(r); engine.call('chain').then(x => { r.textContent = `${x.numbers - x.wrong} of ${x.numbers} numbers of output are equal, bit for bit.`; r.className = x.wrong ? 'bad' : 'ok'; }, e => fail(b, e)); }],
  ['The loop by hand', b => { b.append(code({ every: false, inplace: false, noclone: false }), el('p', { textContent: 'The input of layer 0 is x[t]; of every other layer it is h_t[layer-1], computed a moment before.' })); }],
  ['The mistake', b => { b.append(el('p', { textContent: 'The loop as it stands feeds x[t] to every layer, and keeps both states in one tensor. Switch each mistake on and off:' })); const res = el('div', { id: 'loopresult' }); for (const [k, text] of [['every', 'x[t] for every layer'], ['inplace', 'h_t written over h_t_minus_1'], ['noclone', 'output.append without clone']]) { const c = el('input', { type: 'checkbox', checked: mistake[k], id: 'm-' + k }); c.onchange = () => { mistake[k] = c.checked; lessonTab(); }; b.append(el('div', { className: 'row' }, el('label', {}, c, ' ' + text))); } b.append(code(mistake), res);
    engine.call('loop', { loop: mistake }).then(r => { S.marks = r.bin; draw(); const p = (t, cls) => res.append(el('p', { textContent: t, className: cls || '' }));
      if (r.break) { p(`Step ${r.break.step}, layer ${r.break.layer}: ${r.message}.`, 'bad'); p(`x[${r.break.step}] has ${r.break.left[1]} numbers; weight_ih_l${r.break.layer} takes the ${r.break.right[0]} of the layer below.`); }
      else p(r.output || r.states ? `${r.output} of ${r.numbers} numbers of output are wrong` + (r.firstStep >= 0 ? `, first in step ${r.firstStep}, layer ${r.firstLayer}.` : ': every row is the last state.') : `All ${r.numbers} numbers of output are right, bit for bit.`, r.output || r.states ? 'bad' : 'ok');
      if (r.overwritten && mistake.inplace) p('The h_0 that was handed in has been written over. Each layer reads its row before it writes it, so this alone changes no number of output; but autograd refuses it.'); }, e => fail(res, e)); }],
];
function code(m) {
  const pre = el('pre'); listing.forEach((line, i) => { const wrong = m.every && i === 3 || m.inplace && i === 6 || m.noclone && i === 5; line = line.replace('INPUT', m.every ? 'x[t]' : '(x[t] if layer == 0 else h_t[layer-1])'); if (m.inplace) line = line.replace('h_t.clone()', 'h_t'); if (m.noclone) line = line.replace('.clone())', ')'); pre.append(el('span', { className: (wrong ? 'wrong' : '') + (i === 3 && S.cursor >= 0 ? ' now' : ''), textContent: line + '\n' })); });
  return pre;
}
function lessonTab() {
  const box = $('lesson'), body = el('div'), step = d => { chapter = clamp(chapter + d, 0, chapters.length - 1); lessonTab(); };
  const back = el('button', { textContent: 'Back', id: 'lback', disabled: !chapter, onclick: () => step(-1) }), next = el('button', { textContent: 'Next', id: 'lnext', disabled: chapter === chapters.length - 1, onclick: () => step(1) });
  if (chapter !== 5 && S.marks) { S.marks = null; draw(); }
  box.replaceChildren(el('h2', { textContent: `${chapter + 1}. ${chapters[chapter][0]}` }), body, el('div', { className: 'row' }, back, next)); chapters[chapter][1](body);
}
