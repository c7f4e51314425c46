// What stands around the cells: arrows, the frames of output and h_n, and at
// every edge the shape in PyTorch's letters.

function head(x, y, angle, size) {
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(x - size * Math.cos(angle - .45), y - size * Math.sin(angle - .45));
  pen.lineTo(x - size * Math.cos(angle + .45), y - size * Math.sin(angle + .45));
  pen.fill();
}

// path draws a line through points and a head at the last.
function path(points, chosen) {
  pen.strokeStyle = pen.fillStyle = chosen ? ink.accent : ink.arrow;
  pen.lineWidth = chosen ? 2.2 : 1.2;
  pen.beginPath();
  for (const [x, y] of points) pen.lineTo(x, y);
  pen.stroke();
  const [a, b] = points.slice(-2);
  head(b[0], b[1], Math.atan2(b[1] - a[1], b[0] - a[0]), chosen ? 9 : 7);
}

// paintArrows draws what flows into a cell: the state of the step before, and
// the lanes of the layer below.
function paintArrows(i, t, chosen) {
  const y = laneY(i), reverse = reversed(i), middle = y + G.h / 2;
  const beside = G.pad > 4; // room for a head between the cells
  if (beside && reverse) path([[X(t + 1) + G.pad - 3, middle], [X(t) + G.w - G.pad + 3, middle]], chosen);
  else if (beside) path([[X(t) - G.pad + 3, middle], [X(t) + G.pad - 3, middle]], chosen);
  const x = X(t) + G.w / 2, bottom = y + G.h + (S.influence ? 9 : 3);
  const sources = layerOf(i) ? range(S.D).map(d => (layerOf(i) - 1) * S.D + d) : [-1];
  for (const from of sources) {
    const top = laneY(from) - 4;
    if (i - from === 1 || i === 0) { path([[x, top], [x, bottom]], chosen); continue; }
    const side = X(t) + G.w - G.pad * .55; // past the lanes between
    path([[x + 8, top], [side, top - 9], [side, bottom + 11], [x + 8, bottom]], chosen);
  }
}

// paintEnds frames output, the top layer over all time, and h_n, where each
// direction ends. They share cells, which both frames surround.
function paintEnds() {
  const top = S.lanes - 1, width = G.w - 2 * G.pad, y = laneY(top);
  for (let i = 0; i < S.lanes; i++) {
    const reverse = reversed(i), last = reverse ? 0 : S.steps - 1;
    frame(X(last) + G.pad - 5, laneY(i) - 5, width + 10, G.h + 9, ink.hn);
  }
  const height = S.D * G.h + (S.D - 1) * G.gap;
  frame(X(0) + G.pad - 11, y - 11, S.steps * G.w - 2 * G.pad + 22, height + 21, ink.out);
  const x = Math.max(X(0) + G.pad - 10, G.gutter);
  write(`output [T, ${letters.output()}] = [${S.steps}, ${S.D * S.size}]`, x, y - 28, ink.out);
}

// paintEndNames names each lane's part of h_n, at whichever edge it ends. What
// has been scrolled under the gutter stays there.
function paintEndNames() {
  for (let i = 0; i < S.lanes; i++) paintEnd(i, reversed(i) ? 0 : S.steps - 1, reversed(i));
}

// paintEnd names a lane's part of h_n and, in the top layer, what it is of output.
function paintEnd(i, last, reverse) {
  const top = layerOf(i) === S.L - 1 && G.gutter > 120, H = letters.state();
  const part = S.D === 1 ? `output[${last}]` : reverse ? `output[0,${H}:]` : `output[${last},:${H}]`;
  const y = laneY(i) + G.h / 2 - (top ? 6 : -4);
  const x = reverse ? X(0) + G.pad - 16 : X(last) + G.w - G.pad + 16, align = reverse ? 'right' : 'left';
  if (reverse && x - 40 < G.gutter - 8) return;
  write(`h_n[${i}]`, x, y, ink.hn, mono(11.5), align);
  if (top && !(reverse && x - 92 < G.gutter - 8)) write('= ' + part, x, y + 16, ink.out, mono(11.5), align);
}

// paintGutter names the lanes, over whatever has been scrolled under it.
function paintGutter(height) {
  pen.fillStyle = ink.card;
  pen.fillRect(0, 0, G.gutter - 8, height);
  const wide = G.gutter > 120;
  for (let i = -1; i < S.lanes; i++) {
    const y = laneY(i);
    write(i < 0 ? 'x' + (S.kind === 'vectors' ? '' : ': ' + S.kind) : laneName(i), 12, y + 12, ink.fg, '600 13px system-ui,sans-serif');
    shape(i < 0 ? '[T, I]' : `${S.what} [T, ${S.what === 'h' || S.what === 'd' ? letters.state() : 'H'}]`, [S.steps, i < 0 ? S.I : widthOf(S.what)], y + 28, wide);
    if (i < 0) { if (S.kind === 'notes' && wide) octaves(y); continue; }
    if (wide && G.h > 60) edge((reversed(i) ? '← ' : '→ ') + paramName('weight_hh', i), letters.hh(), shapeOf(paramName('weight_hh', i)), y + Math.max(46, G.h / 2 + 8));
    if (wide) edge('↑ ' + paramName('weight_ih', i), letters.ih(i), shapeOf(paramName('weight_ih', i)), y + G.h + 18);
    else ['ih', 'hh'].forEach((kind, k) => write(`${kind} [${shapeOf(paramName('weight_' + kind, i))}]`, 12, y + 44 + 14 * k, ink.soft, mono(10.5)));
  }
}

function shape(letters, numbers, y, wide) {
  write(wide ? `${letters} = [${numbers.join(', ')}]` : `[${numbers.join(', ')}]`, 12, y, ink.soft, mono(11));
}

function edge(name, letters, numbers, y) {
  write(name, 12, y, ink.fg, mono(11));
  write(`${letters} = [${numbers.join(', ')}]`, 26, y + 14, ink.soft, mono(11));
}

// octaves names the keys C along the piano roll.
function octaves(y) {
  for (const u of S.ux) {
    if (noteName(u)[0] !== 'C' || noteName(u)[1] === '♯') continue;
    write(noteName(u), G.gutter - 14, y + S.ux.indexOf(u) * G.rowX + 4, ink.soft, mono(9.5), 'right');
  }
}

// legend says what the colours mean.
function legend() {
  const s = scaleOf(S.what), x = scaleOf('x');
  $('low').textContent = '−' + String(+s.toPrecision(3));
  $('high').textContent = '+' + String(+s.toPrecision(3));
  $('xscale').textContent = x === s ? '' : `x: ±${+x.toPrecision(3)}`;
}
