// A whole model: its operators as boxes in the order in which they run, and its
// recurrent layers, one of which is the grid.

const boxes = data.boxes || [], parts = data.parts || [];
S.part = 0;
S.box = -1;

// drawBoxes fills the strip above the grid.
function drawBoxes() {
  $('flow').hidden = !boxes.length || S.foreign;
  $('flow').replaceChildren(...boxes.map((b, i) => {
    const here = b.part === S.part + 1;
    const card = control('button', b.part ? 'layer' : 'box', { className: 'box' + (b.part ? ' layer' : ''), onclick: () => openBox(i) },
      text('b', b.op), text('span', short32(b.name)), text('span', `[${b.shape.join(', ')}]`, 'dim'));
    card.setAttribute('aria-pressed', here || i === S.box);
    if (b.part) card.append(text('span', here ? 'the grid below' : 'show as the grid', 'dim'));
    else card.append(picture(b));
    if (b.output) card.append(text('span', '→ output ' + short32(b.output), 'dim'));
    return card;
  }));
  // The box at hand is in sight, in the middle if it was not.
  const on = $('flow').querySelector('[aria-pressed=true]'), strip = $('flow').getBoundingClientRect(), at = on && on.getBoundingClientRect();
  if (on && (at.left < strip.left || at.right > strip.right)) $('flow').scrollLeft += (at.left + at.right - strip.left - strip.right) / 2;
}

const short32 = s => s.length > 24 ? s.slice(0, 11) + '…' + s.slice(-12) : s;

// rowsOf is a box's numbers as a table: the last dimension across.
function rowsOf(b) {
  const columns = b.shape.length ? b.shape[b.shape.length - 1] || 1 : 1;
  return { columns, rows: Math.ceil(b.held / columns), values: block.subarray(b.at, b.at + b.held) };
}

// picture is a box's numbers in colours, as many as a small picture has room for.
function picture(b) {
  const { columns, rows, values } = rowsOf(b), w = Math.min(columns, 96), h = Math.min(rows, 24);
  const c = el('canvas', { width: w, height: Math.max(1, h) });
  c.setAttribute('aria-hidden', 'true');
  const p = c.getContext('2d'), most = largestOf(values);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const k = Math.floor(y * rows / h) * columns + Math.floor(x * columns / w);
      if (k >= values.length) continue;
      p.fillStyle = colour(values[k] / most);
      p.fillRect(x, y, 1, 1);
    }
  }
  return c;
}

const largestOf = values => values.reduce((a, v) => isFinite(v) ? Math.max(a, Math.abs(v)) : a, 1e-30);

// openBox shows a box in the panel, or makes a recurrent layer the grid.
async function openBox(i) {
  const b = boxes[i];
  S.box = b.part ? -1 : i;
  if (b.part && b.part !== S.part + 1) await showPart(b.part - 1);
  drawBoxes();
  openTab('cell');
  const again = $('flow').children[i]; // it was drawn anew
  if (again) again.focus({ preventScroll: true });
}

// showPart makes another recurrent layer the grid; it comes as it was recorded.
async function showPart(n) {
  status('loading');
  try {
    await engine.loaded;
    await loadPart(n);
    S.part = n;
    Object.assign(S, { what: 'h', labels: n ? null : data.labels, columns: n ? null : data.columns, kind: n ? 'vectors' : data.kind, param: null, influence: null, answer: null, question: null, marks: null, cursor: -1 });
    model(parts[n].facts);
    looks.clear();
    looks.set(S.at, look());
    S.own = ownOf(parts[n].facts);
    S.h0 = S.own.h0;
    S.lane = S.lanes - 1;
    S.t = S.steps - 1;
    S.u = 0;
    forget();
    edited();
    $('follow').replaceChildren();
    $('processing').textContent = '';
    showChoices();
    describe();
    fit();
    show(S.t, S.lane);
    say();
    status('as it was recorded');
  } catch (e) {
    status('');
    notice(e.message, true);
  }
}

// loadPart gives the engine a recurrent layer with its record.
function loadPart(n) {
  const facts = parts.length ? parts[n].facts : data;
  const bytes = new Uint8Array(block.buffer.slice(4 * facts.at, 4 * (facts.at + facts.count)));
  return engine.ask('load', { config: facts.config, steps: facts.steps, state: true, recorded: true, ends: facts.ends, example: data.example }, bytes);
}

// boxCell is a box in the panel: what flows in, its constants, its numbers.
function boxCell(b) {
  const to = name => { const i = boxes.findIndex(o => o.name === name); return i < 0 ? name : link('to-box', name, () => openBox(i)); };
  const out = [text('h2', `${b.op} ${b.name}`), text('p', `[${b.shape.join(', ')}]`, 'result')];
  if (b.from.length) out.push(el('p', {}, 'It takes ', ...b.from.flatMap((f, i) => i ? [' and ', to(f)] : [to(f)]), '.'));
  if (b.weights.length) out.push(text('p', 'Its constants have the shapes ' + b.weights.join(', ') + '.'));
  if (b.output) out.push(text('p', `It gives the model’s output ${b.output}.`));
  if (S.edits) out.push(hint('These are the recorded numbers: what is changed in the grid is computed for its layer, not for what stands around.'));
  const large = picture(b);
  large.className = 'wide';
  return [...out, large, ...(b.columns ? rowsByName(b) : plainRows(b))];
}

// rowName names a row of a box: a step of the sequence where it has as many.
const rowName = (b, r) => b.shape.length > 1 && b.shape[0] === S.steps ? stepName(r) : String(r);

// plainRows are the first numbers of a box, the last dimension across.
function plainRows(b) {
  const { columns, rows, values } = rowsOf(b), w = Math.min(columns, 8), h = Math.min(rows, 64);
  const cells = range(h).map(r => [rowName(b, r), ...range(w).filter(c => r * columns + c < values.length).map(c => full(values[r * columns + c]))]);
  const out = [el('div', { className: 'scroll' }, table(['', ...range(w).map(String)], cells))];
  const more = h < rows || w < columns || b.held < b.shape.reduce((a, n) => a * n, 1);
  if (more) out.push(hint(`The first ${h} rows and ${w} columns; the last dimension runs across, and the picture has ±${short(largestOf(values))}.`));
  return out;
}

// rowsByName are the numbers of a box whose last dimension has names: all of one row, or
// the three largest of each.
function rowsByName(b) {
  const { columns, values } = rowsOf(b), rows = Math.floor(values.length / columns);
  const best = r => range(columns).sort((i, j) => values[r * columns + j] - values[r * columns + i] || i - j);
  if (b.shape.length < 2) return [el('div', { className: 'scroll' }, table(['', ''], best(0).slice(0, 200).map(i => [printable(b.columns[i]), full(values[i])])))];
  const cells = range(Math.min(rows, 200)).map(r => [rowName(b, r), ...best(r).slice(0, 3).map(i => `${printable(b.columns[i])} ${short(values[r * columns + i])}`)]);
  return [hint(`Of each step the largest of ${columns} numbers.`), el('div', { className: 'scroll' }, table(['', ...cells[0].slice(1).map(() => '')], cells))];
}
