// The panel: an opened cell, questions, changes.
const link = (text, f) => { const a = el('a', { textContent: text, tabIndex: 0, role: 'button' }); a.onclick = f; a.onkeydown = e => { if (e.key === 'Enter') f(); }; return a; };
const go = (lane, t, u, open = true) => { S.lane = lane; S.t = t; S.u = u; show(t, lane); draw(); say(); if (open) openCell(); };
const fail = (box, e) => box.append(el('p', { className: 'bad', textContent: String(e.message || e) }));
let ticket = 0;
async function openCell() {
  tab('cell'); const box = $('cell'), mine = ++ticket;
  if (S.lane < 0) { box.replaceChildren(...inputCell()); return; }
  const head = [el('h2', { textContent: `${laneName(S.lane)}, step ${S.t}, unit ${S.u}` })];
  let r; const inner = S.cfg.proj_size > 0 && S.what !== 'h' && S.what !== 'd';
  const waits = setTimeout(() => { if (mine === ticket) box.replaceChildren(...head, el('p', { className: 'hint', textContent: engine.up ? 'asking the engine' : 'the engine is starting' })); }, 120);
  try { r = await engine.call('unit', { layer: layerOf(S.lane), direction: dirOf(S.lane), step: S.t, unit: S.u, inner }); } catch (e) { clearTimeout(waits); if (mine === ticket) { box.replaceChildren(...head); const v = numbers('h', S.lane, Math.floor(S.t / N)); if (v) box.append(el('p', { className: 'result', textContent: 'h = ' + full(v[(S.t % N) * S.uh.length + Math.max(0, S.uh.indexOf(S.u))]) })); fail(box, e); } return; }
  clearTimeout(waits); if (mine !== ticket) return;
  const u = r.unit, lane = S.lane, t = S.t, bar = [];
  const n = S.cfg.proj_size > 0 && inner ? S.cfg.hidden_size : S.size;
  const pick = el('div', { className: 'row' }, 'unit ', Object.assign(el('input', { type: 'number', min: 0, max: n - 1, value: S.u, ariaLabel: 'unit' }), { onchange: e => go(lane, t, clamp(+e.target.value, 0, n - 1)) }), el('span', { className: 'hint', textContent: `of ${n}` }));
  box.replaceChildren(...head, pick, ...r.equations.map(x => math(x)),
    el('p', { id: 'result', className: 'result' }, (u.inner ? 'c = ' : 'h = ') + full(u.inner ? u.c : u.h) + ' ', el('span', { className: u.same ? 'ok' : 'bad', textContent: u.same ? '= the record, bit for bit' : 'the record has ' + full(u.record) })),
    el('h3', { textContent: 'with the numbers' }), ...r.numbers.map(x => math(x, true)));
  const prev = dirOf(lane) ? t + 1 : t - 1;
  for (const g of u.gates || []) {
    const unitShare = [['input', g.input.share], ['state', g.state.share], ...(u.bias ? [['b_ih', g.bih], ['b_hh', g.bhh]] : [])];
    const big = Math.max(...unitShare.map(x => Math.abs(x[1])), 1e-9);
    box.append(el('h3', { textContent: `${g.name === 'h' ? 'the sum' : 'gate ' + g.name}: ${g.act}(${full(g.pre)}) = ${full(g.value)}` }));
    for (const [name, v] of unitShare) { const b = el('b'); const wd = 50 * Math.abs(v) / big; b.style.cssText = `width:${wd}%;left:${v < 0 ? 50 - wd : 50}%;background:rgb(${colour(Math.sign(v) * .75)})`; box.append(el('div', { className: 'share' }, el('i', { textContent: { input: 'from the input', state: 'from the state' }[name] || name }), el('span', {}, b), el('code', { textContent: full(v) }))); }
    box.append(sumTable(g, u, lane, t, prev));
  }
  if (u.projection) { const tb = el('table', {}, el('tr', {}, ...['', 'weight_hr', 'o·tanh(c)', 'sum'].map(x => el('th', { textContent: x })))); u.projection.terms.slice(0, 2000).forEach((p, k) => tb.append(el('tr', {}, el('td', {}, `m[${k}]`), el('td', { textContent: full(p.w) }), el('td', { textContent: full(p.v) }), el('td', { textContent: full(p.s) })))); box.append(el('div', { className: 'scroll' }, tb)); }
}
function sumTable(g, u, lane, t, prev) {
  const tb = el('table', {}, el('tr', {}, ...['from', 'weight', 'value', 'sum so far'].map(x => el('th', { textContent: x }))));
  const add = (from, w, v, s) => tb.append(el('tr', {}, el('td', {}, from), el('td', {}, w), el('td', { textContent: v }), el('td', { textContent: s })));
  if (u.bias) add(link(`b_ih[${g.row}] + b_hh[${g.row}]`, () => toWeight(paramName('bias_ih', lane), g.row)), full(g.bih), full(g.bhh), full(g.input.start));
  const l = layerOf(lane), cap = S.allTerms ? Infinity : 96;
  const rows = (s, kind, n, origin) => { s.terms.forEach((p, k) => { if (s.terms.length > cap && k >= cap) { if (k === cap) add(link(`${s.terms.length - cap} more`, () => { S.allTerms = true; openCell(); }), '', '', full(s.end)); return; } add(origin(k), link(full(p.w), () => toWeight(paramName(kind, lane), g.row * n + k)), full(p.v), full(p.s)); }); };
  rows(g.input, 'weight_ih', g.input.terms.length, k => l ? link(`h[${k % S.size}] ${laneName((l - 1) * S.D + Math.floor(k / S.size))}`, () => go((l - 1) * S.D + Math.floor(k / S.size), t, k % S.size)) : link(`x[${k}]`, () => go(-1, t, k)));
  if (g.apart && u.bias) add('recurrent part', '', full(g.bhh), full(g.state.start));
  rows(g.state, 'weight_hh', g.state.terms.length, k => prev >= 0 && prev < S.steps ? link(`h[${k}] step ${prev}`, () => go(lane, prev, k)) : document.createTextNode(`h_0[${k}]`));
  return el('div', { className: 'scroll' }, tb);
}
function inputCell() {
  const a = numbers('x', -1, Math.floor(S.t / N)), k = S.ux.indexOf(S.u), v = a && k >= 0 ? a[(S.t % N) * S.ux.length + k] : 0, box = el('input', { type: 'number', step: 'any', value: full(v), id: 'xvalue', ariaLabel: 'value' });
  box.onchange = () => edit('input', S.t * S.I + S.u, +box.value);
  const name = S.kind === 'notes' ? ` (${noteName(S.u)})` : data.columns && data.columns[S.u] ? ` (${data.columns[S.u]})` : '';
  return [el('h2', { textContent: `x_${S.t}[${S.u}]${name}` }), el('p', { className: 'result', textContent: full(v) }), el('p', { className: 'hint', textContent: 'An input: it comes from outside. Another value runs everything after it anew.' }), el('div', { className: 'row' }, box), el('div', { className: 'row' }, ...[...Array(S.lanes).keys()].filter(i => !layerOf(i)).map(i => link(`${laneName(i)} at step ${S.t}`, () => go(i, S.t, 0))))];
}
async function edit(name, index, value) {
  if (!isFinite(value)) return;
  $('status').textContent = 'computing'; S.own = null;
  try { const r = await engine.call('edit', { name, index, value }); if (!r.superseded) renew(r); } catch (e) { $('status').textContent = String(e.message); }
}
function renew(about) {
  model(about); S.era = (S.era || 0) + 1; S.own = null; S.influence = S.marks = null; S.cursor = -1; forget(); layout(); whats(); draw(); $('status').textContent = 'computed here'; describe();
  if (!$('cell').hidden) openCell(); if (!$('change').hidden) changeTab(); if ($('follow').firstChild) follow();
}
async function toWeight(name, index) { tab('change'); await changeTab(name, index); const i = $('wvalue'); if (i) i.focus(); }
async function changeTab(name, index) {
  const box = $('change'), p = S.params.find(q => q.name === name) || S.params[0], cols = p.shape[1] || 1;
  S.param = p.name; index = index === undefined ? 0 : index;
  const sel = el('select', { ariaLabel: 'parameter' }, ...S.params.map(q => el('option', { value: q.name, textContent: `${q.name} [${q.shape}]`, selected: q === p }))), r = el('input', { type: 'number', min: 0, max: p.shape[0] - 1, value: Math.floor(index / cols), ariaLabel: 'row' }), c = el('input', { type: 'number', min: 0, max: cols - 1, value: index % cols, ariaLabel: 'column' }), v = el('input', { type: 'number', step: 'any', id: 'wvalue', ariaLabel: 'weight' });
  const at = () => clamp(+r.value, 0, p.shape[0] - 1) * cols + clamp(+c.value, 0, cols - 1);
  sel.onchange = () => changeTab(sel.value, 0); r.onchange = c.onchange = () => { v.value = full(w[at()]); };
  const n = el('input', { type: 'number', min: 1, max: 64, value: S.L, id: 'nlayers', ariaLabel: 'number of layers' });
  n.onchange = async () => { $('status').textContent = 'computing'; try { const a = await engine.call('layers', { n: +n.value }); S.lane = Math.min(S.lane, a.config.num_layers * S.D - 1); renew(a); } catch (e) { fail(box, e); } };
  box.replaceChildren(el('h2', { textContent: 'Change it' }), el('p', { className: 'hint', textContent: 'What follows is computed here, by the engine of the command, with the same bits.' }), el('h3', { textContent: 'number of layers' }), el('div', { className: 'row' }, n), el('h3', { textContent: 'a weight' }), el('div', { className: 'row' }, sel), el('div', { className: 'row' }, 'row ', r, ' column ', c), el('div', { className: 'row' }, v), el('h3', { textContent: 'an input value' }), el('p', { className: 'hint' }, 'Choose it in the bottom row of the grid: ', link(`x_${S.t}[0]`, () => go(-1, S.t, 0))));
  let w = []; try { w = (await engine.call('params', { name: p.name })).bin; } catch (e) { fail(box, e); return; }
  v.value = full(w[at()]); v.onchange = () => edit(p.name, at(), +v.value);
}
function askTab(answer) {
  const lane = Math.max(0, S.lane), box = $('ask');
  const b = (id, text, f) => { const x = el('button', { id, textContent: text }); x.onclick = f; return x; };
  box.replaceChildren(el('h2', { textContent: 'Ask' }), el('p', { className: 'hint', textContent: `About ${laneName(lane)}, step ${S.t}, unit ${S.u}. Choose another in the grid.` }), el('div', { className: 'row' }, b('askgrad', 'What moved it?', () => gradients(lane)), b('askfollow', 'Follow the unit', follow), ...(S.gates.length > 1 ? [b('askgates', 'Gates over time', () => openness(lane))] : [])), el('div', { className: 'row' }, b('askkeep', S.kept ? 'Keep this run instead' : 'Keep this run', async () => { model(await engine.call('keep')); whats(); askTab($('answer')); }), el('span', { className: 'hint', textContent: S.kept ? 'Show "change" to see how the run differs from the kept one.' : 'Then change something and compare.' })), answer || el('div', { id: 'answer' }));
}
async function gradients(lane) {
  const box = $('answer'); box.replaceChildren(el('p', { className: 'hint', textContent: 'computing' }));
  const big = S.cfg.hidden_size * S.steps > 1e5, window = big ? 64 : 0;
  try {
    const r = await engine.call('influence', { layer: layerOf(lane), direction: dirOf(lane), step: S.t, unit: S.u, window }); S.influence = r.bin; S.influenceXMax = 1e-30; S.influenceMax = 1e-30;
    for (let t = 0; t < S.steps; t++) S.influenceXMax = Math.max(S.influenceXMax, r.bin[t]); for (let k = S.steps; k < r.bin.length; k++) S.influenceMax = Math.max(S.influenceMax, r.bin[k]);
    draw(); $('status').textContent = 'computed here';
    const top = [...Array(S.steps).keys()].sort((a, b) => r.bin[b] - r.bin[a]).slice(0, 8), tb = el('table', {}, el('tr', {}, ...['input', 'norm of the derivative'].map(x => el('th', { textContent: x }))));
    for (const t of top) if (r.bin[t]) tb.append(el('tr', {}, el('td', {}, link(S.labels ? `x_${t} “${S.labels[t]}”` : `x_${t}`, () => go(-1, t, 0))), el('td', { textContent: r.bin[t].toExponential(3) })));
    box.replaceChildren(el('h3', { textContent: 'inputs that moved it most' + (window ? ` (within ${window} steps)` : '') }), tb, el('h3', { textContent: 'how far back each layer remembers: norm of the derivative by distance' }), el('div', { id: 'memory' }), el('p', { className: 'hint', textContent: 'Bars under the cells show the same on the grid.' }));
    const far = Math.max(1, Math.max(S.t, S.D === 2 ? S.steps - 1 - S.t : 0)), xs = [...Array(Math.min(far, window || far) + 1).keys()];
    chart($('memory'), xs, [...Array(lane + 1).keys()].map(i => [laneName(i), xs.map(k => { const t = dirOf(i) ? S.t + k : S.t - k, v = t >= 0 && t < S.steps ? r.bin[(i + 1) * S.steps + t] : null; return v > 0 ? v : null; })]), true);
  } catch (e) { box.replaceChildren(); fail(box, e); }
}
const inks = () => [css('--accent'), css('--hn'), css('--out'), css('--fg'), css('--soft')];
function chart(box, xs, lines, log) {
  box.replaceChildren(); const ax = { stroke: css('--soft'), grid: { stroke: css('--line'), width: 1 }, ticks: { show: false }, font: '11px system-ui', size: 46 };
  new uPlot({ width: Math.max(240, box.clientWidth || 400), height: 170, cursor: { drag: { x: false } }, scales: { x: { time: false }, y: log ? { distr: 3 } : {} }, axes: [{ ...ax, size: 26 }, ax], series: [{}, ...lines.map(([label], k) => ({ label, stroke: inks()[k % 5], width: 1.6, points: { show: xs.length < 40, size: 4 }, dash: k > 4 ? [5, 4] : undefined }))] }, [xs, ...lines.map(l => l[1])], box);
}
async function follow() {
  const lane = Math.max(0, S.lane), u = S.lane < 0 ? 0 : S.u, xs = [...Array(S.steps).keys()], lines = [];
  for (const what of ['h', ...(S.cfg.mode === 'LSTM' && !S.cfg.proj_size ? ['c'] : []), ...(S.kept ? ['d'] : [])]) { const r = await engine.call('values', { what, lane, from: 0, to: S.steps, units: [u] }).catch(() => null); if (r) lines.push([what === 'd' ? 'change' : what + `[${u}]`, Array.from(r.bin)]); }
  const box = $('follow'); chart(box, xs, lines); box.prepend(el('p', { className: 'hint', textContent: `${laneName(lane)}, unit ${u}` + (S.labels ? ': ' + S.labels.slice(0, 400).join('') : '') }));
}
async function openness(lane) {
  const box = $('answer'), from = Math.max(0, S.t - 200), to = Math.min(S.steps, from + 400), xs = []; for (let t = from; t < to; t++) xs.push(t);
  box.replaceChildren(el('p', { className: 'hint', textContent: 'computing' }));
  try {
    const lines = [], n = S.cfg.hidden_size, w = Math.max(1, Math.floor(4e6 / n));
    for (const what of S.gates) { const y = []; for (let a = from; a < to; a += w) { const r = await engine.call('values', { what, lane, from: a, to: Math.min(to, a + w) }); for (let t = 0; t * n < r.bin.length; t++) { let s = 0; for (let k = 0; k < n; k++) s += r.bin[t * n + k]; y.push(s / n); } } lines.push([what, y]); }
    box.replaceChildren(el('h3', { textContent: 'mean of each gate over the units' }), el('div', { id: 'gates' })); chart($('gates'), xs, lines);
  } catch (e) { box.replaceChildren(); fail(box, e); }
}
