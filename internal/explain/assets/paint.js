// Drawing the grid: only the steps and lanes in view, however long the run.

let queued = false;
function draw() {
  if (queued) return;
  queued = true;
  requestAnimationFrame(() => { queued = false; paint(); });
}

let pen = null, ink = {};

function paint() {
  const canvas = $('canvas'), grid = $('grid'), { w, h } = view(), r = (devicePixelRatio || 1) * size();
  if (canvas.width !== Math.round(w * r) || canvas.height !== Math.round(h * r)) {
    canvas.width = Math.round(w * r);
    canvas.height = Math.round(h * r);
    canvas.style.width = grid.clientWidth + 'px';
    canvas.style.height = grid.clientHeight + 'px';
  }
  pen = canvas.getContext('2d');
  pen.setTransform(r, 0, 0, r, 0, 0);
  pen.clearRect(0, 0, w, h);
  missing.clear();
  paintView();
  chosenNumbers(); // which are said, also where the cell is out of view or shows a loop's
  askMissing();
  paintMore(h);
  legend();
}

// paintView draws what view says is seen, with the pen at hand.
function paintView() {
  const { w, h, left } = view();
  for (const k of ['line', 'fg', 'soft', 'accent', 'out', 'hn', 'card', 'bad', 'arrow']) ink[k] = css('--' + k);
  const first = clamp(Math.floor(left / G.w) - 2, 0, S.steps - 1);
  const last = clamp(Math.ceil((left + w - G.gutter) / G.w) + 1, 0, S.steps);
  for (let i = 0; i < S.lanes; i++) {
    if (laneY(i) > h + G.gap || laneY(i) + G.h + G.gap < 0) continue;
    paintLane(i, first, last);
  }
  paintInput(first, last);
  if (G.line) paintSeries(first, last);
  paintEnds();
  paintHover();
  paintChosen();
  paintGutter(h);
  paintEndNames();
}

const mono = px => `${px}px ui-monospace,SFMono-Regular,Consolas,monospace`;

function write(content, x, y, colour, font = mono(12), align = 'left') {
  pen.fillStyle = colour;
  pen.font = font;
  pen.textAlign = align;
  pen.fillText(content, x, y);
}

function frame(x, y, w, h, colour, width = 2.5) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.strokeRect(x, y, w, h);
}

// strip paints a vector as a column of coloured numbers.
function strip(values, n, x, y, width, rowHeight, scale) {
  if (!values) {
    pen.fillStyle = ink.line;
    pen.fillRect(x, y, width, n * rowHeight);
    return;
  }
  const { fill, ink: letters } = scales[dark() ? 'dark' : 'light'];
  const words = width >= 44 && rowHeight >= 12, tall = rowHeight > 4 ? rowHeight - 1 : rowHeight;
  if (words) {
    pen.font = mono(width >= 62 ? 12 : 10.5);
    pen.textAlign = 'center';
  }
  for (let k = 0; k < n; k++) {
    const shade = shadeOf(values[k] / scale);
    pen.fillStyle = fill[shade] || '#888';
    pen.fillRect(x, y + k * rowHeight, width, tall);
    if (!words) continue;
    pen.fillStyle = letters[shade] || '#fff';
    pen.fillText(short(values[k]), x + width / 2, y + k * rowHeight + rowHeight / 2 + 4);
  }
}

function paintLane(i, first, last) {
  const y = laneY(i), width = G.w - 2 * G.pad, n = unitsOf(S.what).length;
  for (let t = first; t < last; t++) {
    const x = X(t) + G.pad, played = isPlayed(t, i);
    pen.globalAlpha = played ? 1 : .08;
    const loops = S.marks && S.what === 'h' && S.marks[i * S.steps + t] > 0;
    strip(loops ? loopNumbers(i, t) : vector(S.what, i, t), n, x, y, width, G.row, scaleOf(S.what));
    pen.globalAlpha = 1;
    if (S.marks) paintMark(S.marks[i * S.steps + t], x, y, width);
    if (S.influence) bar(S.influence.h(i, t), x, y + G.h + 3, width);
    if (played && (G.pad > 4 || printing)) paintArrows(i, t, i === S.lane && t === S.t);
  }
  paintStart(i, width);
}

// paintStart draws the initial state before the first step of a direction.
function paintStart(i, width) {
  if (G.w < 20 || !S.h0 || S.what !== 'h') return;
  const t = reversed(i) ? S.steps : -1, x = X(t) + G.pad + width * .3, y = laneY(i);
  if (x < G.gutter - G.w || x > view().w) return;
  const own = S.h0.subarray(i * S.size, (i + 1) * S.size);
  strip(S.uh.map(u => own[u]), S.uh.length, x, y, width * .4, G.row, scaleOf('h'));
  frame(x - .5, y - .5, width * .4 + 1, G.h, ink.line, 1);
  // Beside the frame of output, not under it.
  if (reversed(i)) write('h_init', Math.max(x + width * .2 - 20, X(S.steps) - G.pad + 14), y - 6, ink.soft, mono(11));
  else {
    const end = Math.min(Math.max(x + width * .2 + 20, G.gutter + 34), X(0) + G.pad - 14);
    if (end - 42 >= G.gutter - 8) write('h_init', end, y - 6, ink.soft, mono(11), 'right'); // whole, or scrolled away
  }
}

// loopNumbers are what the lesson's loop has in a cell that it gets wrong.
const loopNumbers = (i, t) => S.uh.map(u => S.wrong[(i * S.steps + t) * S.size + u]);

// paintMark shows what the lesson's loop made of a cell: wrong numbers, or -1
// where it never came.
function paintMark(wrong, x, y, width) {
  if (wrong > 0) frame(x - 2, y - 2, width + 4, G.h + 3, ink.bad, 2.5);
  if (wrong < 0) {
    pen.fillStyle = ink.card;
    pen.globalAlpha = .82;
    pen.fillRect(x, y, width, G.h);
    pen.globalAlpha = 1;
  }
}

// bar is a share of the largest derivative; its root makes small ones visible.
function bar(share, x, y, width) {
  if (!(share > 0)) return;
  pen.fillStyle = ink.accent;
  pen.fillRect(x, y, width * Math.sqrt(share), 4);
}

function paintInput(first, last) {
  const y = laneY(-1), width = G.w - 2 * G.pad;
  for (let t = first; t < last; t++) {
    const x = X(t) + G.pad;
    strip(vector('x', -1, t), S.ux.length, x, y, width, G.rowX, scaleOf('x'));
    if (S.influence) bar(S.influence.x(t), x, y + G.hx + 3, width);
    const word = S.labels && S.labels[t] !== undefined, every = Math.ceil((word ? 12 : 36) / G.w);
    if (t % every) continue;
    const content = word ? printable(S.labels[t]).slice(0, Math.max(1, Math.floor(every * G.w / 9))) : `x_${t}`;
    write(content, x + width / 2, y + G.hx + 20, t === S.t ? ink.accent : ink.soft, mono(word ? 14 : 12), 'center');
  }
}

// paintSeries draws up to four inputs as lines over time.
function paintSeries(first, last) {
  const y = laneY(-1) + G.hx + 64, colours = [ink.accent, ink.hn, ink.out, ink.soft];
  S.ux.slice(0, 4).forEach((_, k) => {
    pen.strokeStyle = colours[k];
    pen.lineWidth = 1.5;
    pen.setLineDash(k === 3 ? [5, 4] : []);
    pen.beginPath();
    for (let t = first; t < last; t++) {
      const v = vector('x', -1, t);
      if (v) pen.lineTo(X(t) + G.w / 2, y - 30 * v[k] / scaleOf('x'));
    }
    pen.stroke();
  });
  pen.setLineDash([]);
}

// paintHover frames the number under the pointer, broken and thin: the chosen one
// is whole and thick.
function paintHover() {
  if (!S.hover) return;
  const { lane, t, u } = S.hover, rowHeight = lane < 0 ? G.rowX : G.row, k = unitsOf(lane < 0 ? 'x' : S.what).indexOf(u);
  pen.setLineDash([3, 2]);
  frame(X(t) + G.pad - .5, laneY(lane) + k * rowHeight, G.w - 2 * G.pad + 1, Math.max(3, rowHeight - 1), ink.fg, 1.3);
  pen.setLineDash([]);
}

// paintMore says that lanes lie above or below what is seen.
function paintMore(h) {
  const above = range(S.lanes).filter(i => laneY(i) + G.h < 8).length, below = range(S.lanes).filter(i => laneY(i) > h - 8).length + (laneY(-1) > h - 8);
  const sign = (content, y) => {
    pen.fillStyle = ink.accent;
    pen.fillRect(0, y, view().w, 18);
    write(content, view().w / 2, y + 13, ink.card, '600 12px system-ui,sans-serif', 'center');
  };
  if (above) sign(`▲ ${above} more above: scroll`, 0);
  const rest = laneY(-1) + G.hx + G.line + 20; // the names of the steps
  if (!below && rest > h + 12) sign('▼ more below: scroll', h - 18);
  if (below) sign(`▼ ${below} more below: scroll`, h - 18);
}

function paintChosen() {
  const lane = S.lane, y = laneY(lane), x = X(S.t) + G.pad, width = G.w - 2 * G.pad;
  const rowHeight = lane < 0 ? G.rowX : G.row, k = unitsOf(lane < 0 ? 'x' : S.what).indexOf(S.u);
  frame(x - 1.5, y - 1.5, width + 3, heightOf(lane) + 2, ink.accent, 2);
  if (k >= 0) frame(x - 1.5, y + k * rowHeight - 1, width + 3, Math.max(3, rowHeight) + 1, ink.accent, 3);
}
