// Questions about the chosen number: what moved it, how it goes on over time,
// how open the gates are, and what a change changed.

function askTab() {
  const lane = Math.max(0, S.lane), u = S.lane < 0 ? 0 : S.u, keptAnswer = $('answer');
  const about = `About ${laneName(lane)}, step ${S.t}, unit ${u}. Choose another in the grid.`;
  $('ask').replaceChildren(
    text('h2', 'Ask'), hint(about),
    row(button('askgrad', 'What moved it?', gradients), button('askfollow', 'Follow the unit', follow),
      ...(S.gates.length ? [button('askgates', 'Gates over time', openness)] : [])),
    row(button('askkeep', S.kept ? 'Keep this run instead' : 'Keep this run', keepRun),
      text('span', S.kept ? 'Kept. After a change, show “change” in the grid to compare.' : 'Then change something and compare.', 'hint')),
    keptAnswer && keptAnswer.dataset.era === String(S.era) ? keptAnswer : el('div', { id: 'answer', data: { era: S.era } }));
}

async function keepRun() {
  model(await engine.call('keep'));
  showChoices();
  askTab();
  status('this run is kept');
}

// answering shows that the engine works, then what f makes of its answer. The same
// is asked of the next number that is chosen.
async function answering(f) {
  const box = $('answer');
  S.question = f;
  box.replaceChildren(hint('computing'));
  try {
    await f(box);
    status('computed here');
  } catch (e) {
    box.replaceChildren();
    failed(box, e);
  }
}

// influenceOf asks for the derivative of a number by everything before it, and puts
// the norms under the cells. In a long run of a large layer only by what is near.
async function influenceOf(lane, t, u) {
  const T = S.steps, n = T * (S.lanes + 1), window = S.H * T > 1e5 ? 64 : 0, era = S.era;
  const { bin, superseded } = await engine.call('influence', { layer: layerOf(lane), direction: directionOf(lane), step: t, unit: u, window });
  if (superseded) throw new Error('it was changed meanwhile');
  const norms = bin.subarray(0, n), byInput = bin.subarray(n), largest = a => a.reduce((x, y) => Math.max(x, y), 1e-30);
  const mostX = largest(norms.subarray(0, T)), mostH = largest(norms.subarray(T));
  if (era === S.era) S.influence = { x: t => norms[t] / mostX, h: (i, t) => norms[(i + 1) * T + t] / mostH };
  draw();
  return { norms, byInput, window };
}

// gradients says what moved the chosen number.
const gradients = () => answering(async box => {
  const lane = Math.max(0, S.lane), t = S.t, u = S.lane < 0 ? 0 : S.u, T = S.steps;
  const { norms, byInput, window } = await influenceOf(lane, t, u);
  S.answer = S.influence;
  box.replaceChildren(
    text('h3', (S.labels ? 'what moved it most: the norm of the derivative by each' : 'inputs that moved it most: the derivative by each') + (window ? `, within ${window} steps` : '')), S.labels ? strongestSteps(norms) : strongest(byInput),
    text('h3', 'how far back each layer remembers: norm of the derivative by distance'), el('div', { id: 'memory' }),
    hint('The bars under the cells show the same on the grid, by the root of their share' + (follows() ? '; they follow the pointer.' : '.')));
  const far = Math.min(window || Infinity, Math.max(1, S.backwards ? 0 : t, S.D === 2 || S.backwards ? T - 1 - t : 0)), xs = range(far + 1);
  const line = i => xs.map(k => norms[(i + 1) * T + (reversed(i) ? t + k : t - k)]).map((v, k) => within(i, t, k) && v > 0 ? v : null);
  chart($('memory'), xs, range(lane + 1).map(i => [laneName(i), line(i)]), true);
});

// askAgain asks the last question of the number that is chosen now.
function askAgain() {
  askTab();
  return S.question && $('answer').firstChild ? answering(S.question) : undefined;
}

// In a run that is short enough the bars follow the pointer.
const follows = () => S.H * S.steps <= 1e5;

let peeking = false; // a question for the pointer is under way

// peek shows what moved the number under the pointer, once that was asked of another.
async function peek() {
  if (!S.answer || S.tab !== 'ask' || peeking || !follows()) return;
  const at = S.hover, where = String(at && [at.lane, at.t, at.u]);
  if (!at || at.lane < 0) { S.influence = S.answer; draw(); return; }
  peeking = true;
  try {
    await influenceOf(at.lane, at.t, at.u);
  } catch (e) {
    status(e.message);
  } finally { peeking = false; }
  if (String(S.hover && [S.hover.lane, S.hover.t, S.hover.u]) !== where) peek();
}

const within = (i, t, k) => reversed(i) ? t + k < S.steps : t - k >= 0;

// strongest lists the eight inputs with the largest derivatives.
function strongest(byInput) {
  const best = [];
  byInput.forEach((v, k) => {
    if (v === 0 || best.length === 8 && Math.abs(v) <= Math.abs(byInput[best[7]])) return;
    best.push(k);
    best.sort((a, b) => Math.abs(byInput[b]) - Math.abs(byInput[a]));
    best.length = Math.min(8, best.length);
  });
  return table(['input', '', 'derivative'], best.map(k => {
    const t = Math.floor(k / S.I), i = k % S.I, name = inputName(i) || (S.labels ? printable(S.labels[t] || '') : '');
    return [link('to-input', `x_${t}[${i}]`, () => go(-1, t, i)), name, full(byInput[k])];
  }));
}

// strongestSteps lists the eight characters or words with the largest derivatives:
// the coordinates of their embeddings say nothing to a reader.
function strongestSteps(norms) {
  const best = range(S.steps).filter(t => norms[t] > 0).sort((a, b) => norms[b] - norms[a]).slice(0, 8);
  return table(['input', 'step', 'norm'], best.map(t => [link('to-step', `“${printable(S.labels[t] || '')}”`, () => go(-1, t, 0)), t, full(norms[t])]));
}

// openness shows the mean of each gate over the units, near the chosen step.
const openness = () => answering(async box => {
  const lane = Math.max(0, S.lane), from = Math.max(0, S.t - 200), to = Math.min(S.steps, from + 400), n = to - from;
  const { bin, superseded } = await engine.call('openness', { layer: layerOf(lane), direction: directionOf(lane), from, to });
  if (superseded) throw new Error('it was changed meanwhile');
  box.replaceChildren(text('h3', `gates of ${laneName(lane)}: mean over the units`), el('div', { id: 'gates' }));
  chart($('gates'), range(n).map(k => from + k), S.gates.map((g, k) => [g, Array.from(bin.subarray(k * n, (k + 1) * n))]));
});

// follow shows one unit over time under the grid, with the text or the series
// above it.
async function follow() {
  const lane = Math.max(0, S.lane), u = S.lane < 0 ? 0 : S.u, box = $('follow'), xs = range(S.steps);
  const ask = async (what, units) => Array.from((await engine.call('values', { what, lane, units, from: 0, to: S.steps })).bin);
  try {
    const h = await ask('h', [u]), lines = [[`h[${u}]`, h]];
    const cells = S.hasCell && !S.cfg.proj_size ? [[`c[${u}]`, await ask('c', [u])]] : null;
    if (S.kept) lines.push(['change', await ask('d', [u])]);
    box.replaceChildren(row(text('b', `${laneName(lane)}, unit ${u}`), button('close', 'Close', () => { box.replaceChildren(); relayout(); })));
    if (S.labels) box.append(painted(h));
    if (S.kind === 'series') {
      const above = el('div');
      box.append(above);
      chart(above, xs, await Promise.all(S.ux.slice(0, 4).map(async k => [inputName(k) || `x[${k}]`, await ask('x', [k])])));
    }
    const plot = el('div', { id: 'followed' });
    box.append(plot);
    chart(plot, xs, lines);
    if (cells) { // on an axis of its own: c may be many times h
      const below = el('div', { id: 'followedc' });
      box.append(below);
      chart(below, xs, cells);
    }
    relayout();
  } catch (e) {
    box.replaceChildren();
    failed(box, e);
  }
}

// painted is the input text, each character or word in the colour of the unit
// after it.
function painted(h) {
  const shown = Math.min(S.steps, 3000), space = S.labels.some(l => l.length > 1 && l !== '\n') ? ' ' : '';
  const p = el('p', { className: 'painted' }, ...range(shown).map(t => {
    const span = text('span', S.labels[t] === '\n' ? '⏎\n' : S.labels[t] + space), shade = shadeOf(h[t]);
    span.style.background = colour(h[t]);
    span.style.color = scales[dark() ? 'dark' : 'light'].ink[shade];
    return span;
  }));
  if (shown < S.steps) p.append(` … ${S.steps - shown} more`);
  return p;
}
