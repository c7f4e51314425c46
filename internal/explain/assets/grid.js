// The grid: geometry, numbers for it, drawing, and where a pointer hit it.
const most = 48, G = { gut: 118, top: 30, gap: 30 };
const sample = n => { const k = Math.min(n, most), u = []; for (let i = 0; i < k; i++) u.push(S.choice === 'first' ? i : Math.floor(i * n / k)); return u; };
const cache = new Map(), asked = new Set(), N = 256;
function forget() { cache.clear(); asked.clear(); S.scaleX = 0; }
const unitsOf = what => what === 'x' ? S.ux : what === 'h' || what === 'd' ? S.uh : S.uc;
// numbers of block b, [n, units], or null while the engine is asked
function numbers(what, lane, b) {
  const key = what + ':' + lane + ':' + b, hit = cache.get(key);
  if (hit) return hit;
  const from = b * N, to = Math.min(S.steps, from + N), units = unitsOf(what);
  const own = S.own && (what === 'x' ? S.own.x : (S.own[what] || [])[lane]);
  if (own) {
    const n = what === 'x' ? S.I : what === 'h' ? S.size : S.cfg.hidden_size, out = new Float32Array((to - from) * units.length);
    for (let t = from, k = 0; t < to; t++) for (const u of units) out[k++] = own[t * n + u];
    cache.set(key, out); return out;
  }
  if (!asked.has(key)) {
    asked.add(key); const era = S.era;
    engine.call('values', { what, lane, from, to, units }).then(r => { if (era === S.era) { cache.set(key, r.bin || new Float32Array(0)); draw(); } }, () => {});
  }
  return null;
}
function layout() {
  S.ux = S.kind === 'notes' ? [...Array(S.I).keys()].reverse() : sample(S.I); S.uh = sample(S.size); S.uc = sample(S.cfg.hidden_size);
  const rows = unitsOf(S.what).length;
  G.w = S.cell; G.pad = G.w >= 24 ? Math.min(16, G.w * .2) : G.w >= 6 ? 1 : 0;
  const room = Math.floor(($('grid').clientHeight - 110 - S.lanes * 36) / (S.lanes * rows + Math.min(S.ux.length, 12)));
  G.rh = rows <= 12 ? clamp(room, 17, 28) : Math.max(2, Math.floor(220 / rows));
  G.rx = S.kind === 'notes' ? 2 : S.ux.length <= 12 ? clamp(room, 17, 28) : Math.max(2, Math.floor(140 / S.ux.length));
  G.h = rows * G.rh; G.hx = S.ux.length * G.rx;
  G.gap = G.w >= 24 ? 34 : 22;
  G.line = S.kind === 'series' ? 64 : 0;
  G.y = i => G.top + (S.lanes - 1 - i) * (G.h + G.gap);
  G.yx = G.top + S.lanes * (G.h + G.gap);
  G.width = G.gut + (S.steps + 1) * G.w + 74; G.height = G.yx + G.hx + 30 + G.line;
  $('space').style.width = G.width + 'px'; $('space').style.height = Math.max(G.height, $('grid').clientHeight - 2) + 'px';
}
const X = t => G.gut + (t + 1) * G.w - $('grid').scrollLeft, laneY = i => (i < 0 ? G.yx : G.y(i)) - $('grid').scrollTop;
// the order in which a loop computes the cells
const order = k => S.D === 1 ? [Math.floor(k / S.L), k % S.L] : [(Math.floor(k / S.steps) % 2) ? S.steps - 1 - k % S.steps : k % S.steps, Math.floor(k / S.steps)];
const place = (t, lane) => S.D === 1 ? t * S.L + lane : lane * S.steps + (lane % 2 ? S.steps - 1 - t : t);
const done = (t, lane) => S.cursor < 0 || place(t, lane) <= S.cursor;
let queued = false;
function draw() { if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; paint(); }); } }
function paint() {
  const c = $('canvas'), g = $('grid'), w = g.clientWidth, h = g.clientHeight, r = devicePixelRatio || 1;
  if (c.width !== w * r || c.height !== h * r) { c.width = w * r; c.height = h * r; c.style.width = w + 'px'; c.style.height = h + 'px'; }
  const p = c.getContext('2d'); p.setTransform(r, 0, 0, r, 0, 0); p.clearRect(0, 0, w, h);
  const line = css('--line'), fg = css('--fg'), soft = css('--soft'), accent = css('--accent'), out = css('--out'), hn = css('--hn');
  const t0 = clamp(Math.floor((g.scrollLeft) / G.w) - 2, 0, S.steps - 1), t1 = clamp(Math.ceil((g.scrollLeft + w - G.gut) / G.w) + 1, 0, S.steps);
  const words = G.w >= 58, bw = G.w - 2 * G.pad;
  if (!S.scaleX) { S.scaleX = 1e-9; for (let b = 0; b * N < S.steps && b < 4; b++) for (const v of numbers('x', -1, b) || []) S.scaleX = Math.max(S.scaleX, Math.abs(v)); }
  const strip = (what, lane, t, x, y, rh, scale, dim) => {
    const a = numbers(what, lane, Math.floor(t / N)), n = unitsOf(what).length;
    p.globalAlpha = dim ? .07 : 1;
    if (!a || !a.length) { p.fillStyle = line; p.fillRect(x, y, bw, n * rh); p.globalAlpha = 1; return; }
    const at = (t % N) * n;
    for (let k = 0; k < n; k++) {
      const [R, Gr, B] = colour(a[at + k] / scale); p.fillStyle = `rgb(${R},${Gr},${B})`;
      p.fillRect(x, y + k * rh, bw, rh > 4 ? rh - 1 : rh);
      if (words && rh >= 12 && !dim) { p.fillStyle = R * .3 + Gr * .59 + B * .11 > 140 ? '#15171b' : '#fff'; p.font = '11px ui-monospace,monospace'; p.textAlign = 'center'; p.fillText(short(a[at + k]), x + bw / 2, y + k * rh + rh / 2 + 3.5); }
    }
    p.globalAlpha = 1;
  };
  const arrow = (x1, y1, x2, y2, on) => { p.strokeStyle = p.fillStyle = on ? accent : soft; p.globalAlpha = on ? 1 : .45; p.lineWidth = on ? 2 : 1; p.beginPath(); p.moveTo(x1, y1); p.lineTo(x2, y2); p.stroke(); const a = Math.atan2(y2 - y1, x2 - x1), s = on ? 6 : 4; p.beginPath(); p.moveTo(x2, y2); p.lineTo(x2 - s * Math.cos(a - .5), y2 - s * Math.sin(a - .5)); p.lineTo(x2 - s * Math.cos(a + .5), y2 - s * Math.sin(a + .5)); p.fill(); p.globalAlpha = 1; };
  const scale = S.what === 'x' ? S.scaleX : 1;
  for (let i = 0; i < S.lanes; i++) {
    const y = laneY(i), rev = dirOf(i) === 1;
    if (y > h + 40 || y + G.h + G.gap < -40) continue;
    for (let t = t0; t < t1; t++) {
      const x = X(t) + G.pad; strip(S.what, i, t, x, y, G.rh, scale, !done(t, i));
      if (S.marks) { const m = S.marks[i * S.steps + t]; if (m) { p.fillStyle = p.strokeStyle = m < 0 ? soft : '#c03535'; p.lineWidth = 2; if (m < 0) { p.globalAlpha = .25; p.fillRect(x, y, bw, G.h); p.globalAlpha = 1; } else p.strokeRect(x - 2, y - 2, bw + 4, G.h + 3); } }
      if (S.influence) { const v = S.influence[(i + 1) * S.steps + t] / S.influenceMax; if (v > 0) { p.fillStyle = accent; p.fillRect(x, y + G.h + 2, bw * Math.pow(v, .4), 4); } }
      if (G.pad > 4 && done(t, i)) {
        const on = i === S.lane && t === S.t, from = rev ? t + 1 : t - 1;
        arrow(rev ? X(t) + G.w + G.pad - 2 : X(t) - G.pad + 2, y + G.h / 2, rev ? X(t) + G.w - G.pad + 2 : X(t) + G.pad - 2, y + G.h / 2, on);
        for (let d = 0; d < S.D; d++) { const below = layerOf(i) ? (layerOf(i) - 1) * S.D + d : -1; if (below < 0 && d) continue; const near = i - below === 1 || below < 0 && i === 0; if (near || on) arrow(x + bw / 2 + (near ? 0 : d * 6 - 3), near ? laneY(below) - 3 : laneY(below) - 3, x + bw / 2, y + G.h + (S.influence ? 8 : 3), on); }
      }
    }
    if (G.w >= 20 && S.own && S.what === 'h') { // the initial state, before the first step in this direction
      const t = rev ? S.steps : -1, x = X(t) + G.pad; if (x > -G.w && x < w) for (let k = 0; k < S.uh.length; k++) { const [R, Gr, B] = colour(S.own.h0[i * S.size + S.uh[k]]); p.fillStyle = `rgb(${R},${Gr},${B})`; p.fillRect(x + bw * .3, y + k * G.rh, bw * .4, Math.max(1, G.rh - 1)); }
    }
    const last = rev ? 0 : S.steps - 1; // where this direction ends: h_n
    p.strokeStyle = hn; p.lineWidth = 2.5; p.strokeRect(X(last) + G.pad - 4, y - 4, bw + 8, G.h + 7);
    if (!rev) { p.fillStyle = hn; p.font = '12px ui-monospace,monospace'; p.textAlign = 'left'; p.fillText(`h_n[${i}]`, X(last) + G.w + 4, y + G.h / 2 + 4); }
    else { p.fillStyle = hn; p.font = '12px ui-monospace,monospace'; p.textAlign = 'center'; p.fillText(`h_n[${i}]`, X(last) + G.w / 2, y - 7); }
  }
  { // output: the top layer over all time
    const y = laneY(S.lanes - 1), hh = S.D * G.h + (S.D - 1) * G.gap; p.strokeStyle = out; p.lineWidth = 2.5; p.setLineDash([]); p.strokeRect(X(0) + G.pad - 9, y - 9, S.steps * G.w - 2 * G.pad + 18, hh + 17);
    p.fillStyle = out; p.font = '12px ui-monospace,monospace'; p.textAlign = 'left'; p.fillText(`output [${S.steps}, ${S.D * S.size}]`, Math.max(X(0) + G.pad - 8, G.gut + 4) + (S.D === 2 ? 76 : 0), y - 14);
  }
  for (let t = t0; t < t1; t++) {
    const x = X(t) + G.pad, y = laneY(-1); strip('x', -1, t, x, y, G.rx, S.scaleX, false);
    if (S.influence) { const v = S.influence[t] / S.influenceXMax; if (v > 0) { p.fillStyle = accent; p.fillRect(x, y + G.hx + 2, bw * Math.pow(v, .4), 4); } }
    const lab = S.labels && S.labels[t] !== undefined ? S.labels[t] : G.w >= 30 || t % Math.ceil(34 / G.w) === 0 ? `x_${t}` : '';
    if (lab) { p.fillStyle = t === S.t ? accent : soft; p.font = S.labels ? '14px ui-monospace,monospace' : '12px ui-monospace,monospace'; p.textAlign = 'center'; p.fillText(lab === ' ' ? '␣' : lab, x + bw / 2, y + G.hx + 19); }
  }
  if (G.line) { const y = laneY(-1) + G.hx + 28, inks = [accent, hn, out, soft]; S.ux.slice(0, 4).forEach((_, k) => { p.strokeStyle = inks[k]; p.lineWidth = 1.5; p.beginPath(); for (let t = t0; t < t1; t++) { const a = numbers('x', -1, Math.floor(t / N)); if (a) p.lineTo(X(t) + G.w / 2, y + 28 - 26 * a[(t % N) * S.ux.length + k] / S.scaleX); } p.stroke(); }); }
  { // where one is
    const y = laneY(S.lane), x = X(S.t) + G.pad, hh = S.lane < 0 ? G.hx : G.h; p.strokeStyle = accent; p.lineWidth = 2; p.strokeRect(x - 1.5, y - 1.5, bw + 3, hh + 2);
    const k = unitsOf(S.lane < 0 ? 'x' : S.what).indexOf(S.u); if (k >= 0 && G.w > 10) { const rh = S.lane < 0 ? G.rx : G.rh; p.lineWidth = 2.5; p.strokeRect(x - 1.5, y + k * rh - 1, bw + 3, rh + 1); }
  }
  p.fillStyle = css('--card'); p.fillRect(0, 0, G.gut - 10, h); p.textAlign = 'left';
  for (let i = -1; i < S.lanes; i++) {
    const y = laneY(i); p.fillStyle = fg; p.font = '13px system-ui,sans-serif'; p.fillText(i < 0 ? (S.kind === 'notes' ? 'x: notes' : 'x') : laneName(i), 10, y + 13);
    p.fillStyle = soft; p.font = '11px ui-monospace,monospace'; p.fillText(i < 0 ? `[${S.steps}, ${S.I}]` : `[${S.steps}, ${S.size}]`, 10, y + 28);
    if (i >= 0 && G.h > 44) { const ps = S.params.find(q => q.name === paramName('weight_ih', i)), ph = S.params.find(q => q.name === paramName('weight_hh', i)); p.fillText(`ih [${ps.shape}]`, 10, y + 44); p.fillText(`hh [${ph.shape}]`, 10, y + 58); }
  }
}
function hit(e) {
  const b = $('grid').getBoundingClientRect(), x = e.clientX - b.left, y = e.clientY - b.top, t = Math.floor((x - X(0)) / G.w);
  if (x < G.gut - 10 || t < 0 || t >= S.steps) return null;
  for (let i = -1; i < S.lanes; i++) { const top = laneY(i), rh = i < 0 ? G.rx : G.rh, units = unitsOf(i < 0 ? 'x' : S.what); if (y >= top - 4 && y < top + units.length * rh + 4) return { lane: i, t, u: units[clamp(Math.floor((y - top) / rh), 0, units.length - 1)] }; }
  return null;
}
function show(t, lane) { // scrolls a cell into view
  const g = $('grid'), x = X(t), y = laneY(lane), hh = lane < 0 ? G.hx : G.h;
  if (x < G.gut) g.scrollLeft += x - G.gut - G.w; else if (x + G.w > g.clientWidth - 70) g.scrollLeft += x + G.w - g.clientWidth + 70 + G.w;
  if (y < 34) g.scrollTop += y - 34; else if (y + hh > g.clientHeight) g.scrollTop += y + hh - g.clientHeight + 20;
}
