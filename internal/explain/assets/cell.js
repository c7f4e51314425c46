// An opened cell: the equation, the same with numbers, each part's share, every
// product, and the result beside the record. All of it is the engine's answer;
// nothing is computed here.

let ticket = 0;          // the newest question; answers to older ones are dropped
let everyTerm = false;   // whether a sum shows more than its first terms
const firstTerms = 48;

async function openCell() {
  if ($('cell').hidden) { openTab('cell'); return; }
  if (S.box >= 0) { ticket++; $('cell').replaceChildren(...boxCell(boxes[S.box])); return; }
  const box = $('cell'), mine = ++ticket, at = { lane: S.lane, t: S.t, u: S.u };
  if (at.lane < 0) { box.replaceChildren(...inputCell()); return; }
  const heading = text('h2', `${laneName(at.lane)}, step ${at.t}, unit ${at.u}`);
  const inner = S.cfg.proj_size > 0 && S.what !== 'h' && S.what !== 'd';
  const slow = setTimeout(() => mine === ticket && box.replaceChildren(heading, el('p', { id: 'waiting', className: 'hint', textContent: engine.up ? 'asking the engine' : 'the engine is starting' })), 150);
  try {
    const answer = await engine.call('unit', {
      layer: layerOf(at.lane), direction: directionOf(at.lane), step: at.t, unit: at.u, inner, n: everyTerm ? 0 : firstTerms,
    });
    if (mine !== ticket) return;
    if (answer.superseded) return openCell(); // another run took its place meanwhile
    box.replaceChildren(heading, ...cellParts(answer, at));
  } catch (e) {
    if (mine === ticket) { box.replaceChildren(heading); failed(box, e); }
  } finally {
    clearTimeout(slow);
  }
}

function cellParts({ unit, equations, numbers }, at) {
  const n = unit.inner ? S.H : S.size, value = unit.inner ? unit.c : unit.h;
  const verdict = unit.same ? text('span', '= the record, bit for bit', 'ok') : text('span', 'the record has ' + full(unit.record), 'bad');
  const result = el('p', { id: 'result', className: 'result' }, `${unit.inner ? 'c' : 'h'} = ${full(value)} `, verdict);
  const choose = field('unit', { min: 0, max: n - 1, value: at.u, ariaLabel: 'unit' }, u => go(at.lane, at.t, clamp(Math.round(u), 0, n - 1)));
  const parts = [row('unit ', choose, text('span', `of ${n}`, 'hint')), ...equations.map(e => math(e)), result, text('h3', 'with the numbers'), ...numbers.map(e => math(e, true))];
  for (const gate of unit.gates || []) parts.push(...gateParts(gate, unit, at));
  if (unit.projection) parts.push(text('h3', `the projection, ${paramName('weight_hr', at.lane)}`), projection(unit.projection, at));
  return parts;
}

function gateParts(g, unit, at) {
  if (g.coupled) return [text('h3', `gate ${g.name}: ${g.coupled} = ${full(g.value)}`)];
  const shares = [['from the input', g.input.share], ['from the state', g.state.share]];
  if (unit.bias) shares.push(['b_ih', g.bih], ['b_hh', g.bhh]);
  if (g.peephole) shares.push(['peephole', Math.fround(number(g.peephole.w) * number(g.peephole.v))]);
  const largest = Math.max(...shares.map(([, v]) => Math.abs(number(v))), 1e-30);
  const title = S.gates.length ? 'gate ' + g.name : 'the sum', of = g.clip ? `clip(${full(g.pre)})` : full(g.pre);
  return [
    text('h3', `${title}: ${g.act}(${of}) = ${full(g.value)}`),
    ...shares.map(([name, v]) => share(name, number(v), largest)),
    sumTable(g, unit, at),
  ];
}

function share(name, v, largest) {
  const width = 50 * Math.abs(v) / largest, b = el('b');
  b.style.cssText = `width:${width}%;left:${v < 0 ? 50 - width : 50}%;background:${colour(Math.sign(v) * .75)}`;
  return el('div', { className: 'share' }, text('i', name), el('span', {}, b), text('code', full(v)));
}

// sumTable lists the products in the order the engine adds them. From each one
// goes to its weight, and to where its value came from.
function sumTable(g, unit, at) {
  const rows = [], { lane, t } = at;
  const bias = kind => link('bias', `${kind}[${g.row}]`, () => toNumber(paramName(kind, lane), g.row));
  if (unit.bias) rows.push([bias('bias_ih'), '', full(g.bih), g.apart ? full(g.input.start) : '']);
  if (unit.bias && !g.apart) rows.push([bias('bias_hh'), '', full(g.bhh), full(g.input.start)]);
  rows.push(...termRows(g.input, k => inputOrigin(lane, t, k), k => [paramName('weight_ih', lane), g.row * g.input.count + k]));
  if (g.apart && unit.bias) rows.push([bias('bias_hh'), '', full(g.bhh), full(g.state.start)]);
  rows.push(...termRows(g.state, k => stateOrigin(lane, t, k, g.late), k => [paramName('weight_hh', lane), g.row * g.state.count + k]));
  if (g.apart) rows.push([`input + ${g.apart} · state`, '', '', full(g.pre)]);
  if (g.peephole) {
    const weight = link('peephole', full(g.peephole.w), () => toNumber(paramName('weight_peephole', lane), g.place || 0));
    rows.push([`c[${unit.unit}] by the peephole`, weight, full(g.peephole.v), full(g.pre)]);
  }
  return el('div', { className: 'scroll' }, table(['from', 'weight', 'value', 'sum so far'], rows));
}

function termRows(sum, origin, weight) {
  const rows = sum.terms.map((p, k) => [origin(k), link('weight', full(p.w), () => toNumber(...weight(k))), full(p.v), full(p.s)]);
  if (sum.terms.length < sum.count) {
    rows.push([link('more', `${sum.count - sum.terms.length} more`, () => { everyTerm = true; openCell(); }), '', '', full(sum.end)]);
  }
  return rows;
}

function inputOrigin(lane, t, k) {
  if (layerOf(lane) === 0) return link('from-input', `x[${k}]` + (inputName(k) ? ' ' + inputName(k) : ''), () => go(-1, t, k));
  const below = (layerOf(lane) - 1) * S.D + Math.floor(k / S.size);
  return link('from-below', `h[${k % S.size}] ${laneName(below)}`, () => go(below, t, k % S.size));
}

function stateOrigin(lane, t, k, late) {
  const before = reversed(lane) ? t + 1 : t - 1, name = late ? `(${late})[${k}]` : `h[${k}]`;
  if (before < 0 || before >= S.steps) return link('from-start', (late ? name + ', ' : '') + `h_init[${k}]`, () => toNumber('h_0', lane * S.size + k));
  return link('from-state', `${name} step ${before}`, () => go(lane, before, k));
}

function projection(sum, { lane, t, u }) {
  // A unit before the projection is seen through c.
  const inner = k => {
    S.what = 'c';
    showChoices();
    relayout();
    go(lane, t, k);
  };
  const rows = termRows(sum, k => link('from-inner', `m[${k}]`, () => inner(k)), k => [paramName('weight_hr', lane), u * S.H + k]);
  return el('div', { className: 'scroll' }, table(['from', 'weight', 'value', 'sum so far'], rows));
}

// inputCell is a number that comes from outside: it can be set.
function inputCell() {
  const v = vector('x', -1, S.t), k = S.ux.indexOf(S.u), t = S.t, u = S.u, name = inputName(u);
  const value = v && k >= 0 ? v[k] : NaN;
  const box = field('xvalue', { step: 'any', value: value === value ? full(value) : '', ariaLabel: 'value of the input' }, x => edit('input', t * S.I + u, x));
  const which = field('xunit', { min: 0, max: S.I - 1, value: u, ariaLabel: 'which input' }, n => go(-1, t, clamp(Math.round(n), 0, S.I - 1)));
  const next = range(S.lanes).filter(i => !layerOf(i)).map(i => link('to-cell', `${laneName(i)}, step ${t}`, () => go(i, t, 0)));
  return [
    text('h2', `x_${t}[${u}]` + (name ? ` ${name}` : '') + (S.labels ? ` of “${printable(S.labels[t] || '')}”` : '')),
    row('input ', which, text('span', `of ${S.I}`, 'hint')),
    text('p', value === value ? full(value) : 'not among the drawn ones', 'result'),
    hint('An input comes from outside. With another value the engine runs again.'),
    row('value ', box),
    el('p', {}, 'It goes into ', ...next.flatMap((a, i) => i ? [' and ', a] : [a]), '.'),
  ];
}
