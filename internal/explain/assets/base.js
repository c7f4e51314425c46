// Helpers, the page's state, the colours, and the way to the engine.
const $ = id => document.getElementById(id);
const el = (tag, props = {}, ...kids) => { const e = Object.assign(document.createElement(tag), props); e.append(...kids); return e; };
const clamp = (v, a, b) => Math.max(a, Math.min(b, v));
// full: the fewest digits that mean this float32; short: four digits, as PyTorch prints.
function full(v) { v = Math.fround(+v); if (!isFinite(v)) return String(v); for (let p = 1; p < 10; p++) { const s = +v.toPrecision(p); if (Math.fround(s) === v) return String(s); } return String(v); }
const short = v => { v = +v; const a = Math.abs(v); return !isFinite(v) ? String(v) : a && (a < 1e-4 || a >= 1e5) ? v.toExponential(2) : v.toFixed(4); };
const bytes64 = s => { s = atob(s.trim()); const b = new Uint8Array(s.length); for (let i = 0; i < s.length; i++) b[i] = s.charCodeAt(i); return b; };

const data = JSON.parse($('data').textContent);
const S = { lane: 0, t: 0, u: 0, what: 'h', cell: 64, cursor: -1, labels: data.labels, kind: data.kind, marks: null, dirty: false };
const block = new Float32Array(bytes64($('block').textContent).buffer);
function model(about) {
  S.cfg = about.config; S.steps = about.steps; S.params = about.params; S.gates = about.gates;
  S.D = S.cfg.bidirectional ? 2 : 1; S.L = S.cfg.num_layers; S.lanes = S.L * S.D;
  S.size = S.cfg.proj_size || S.cfg.hidden_size; S.I = S.cfg.input_size; S.kept = about.kept;
  S.lane = clamp(S.lane, 0, S.lanes - 1); S.t = clamp(S.t, 0, S.steps - 1); S.u = clamp(S.u, 0, S.size - 1);
}
model(data);
S.lane = S.lanes - 1;
{ // the record the page came with
  const n = data.params.reduce((a, p) => a + p.shape.reduce((x, y) => x * y, 1), 0);
  let at = n; const take = k => block.subarray(at, at += k);
  S.own = { x: take(S.steps * S.I) };
  S.own.h0 = take(S.lanes * S.size); if (S.cfg.mode === 'LSTM') take(S.lanes * S.cfg.hidden_size);
  S.own.h = []; for (let i = 0; i < S.lanes; i++) S.own.h.push(take(S.steps * S.size));
  S.own.c = []; if (S.cfg.mode === 'LSTM') for (let i = 0; i < S.lanes; i++) S.own.c.push(take(S.steps * S.cfg.hidden_size));
}

// The engine lives in a worker made of the page's own text.
const engine = { wait: new Map(), id: 0, up: false };
engine.call = (cmd, args, bin) => new Promise((ok, no) => {
  const id = ++engine.id; engine.wait.set(id, { ok, no });
  engine.started.then(() => engine.worker.postMessage({ id, cmd, args: JSON.stringify(args || {}), bin }), no);
});
const glue = `
self.onmessage = async e => {
  if (e.data.wasm) {
    try {
      const gz = new Response(new Blob([e.data.wasm]).stream().pipeThrough(new DecompressionStream('gzip')));
      const go = new Go();
      self.ready = () => postMessage({ up: true });
      self.progress = p => postMessage({ progress: p });
      self.answer = (id, text, bin, err) => postMessage({ id, text, bin, err }, bin ? [bin.buffer] : []);
      const w = await WebAssembly.instantiate(await gz.arrayBuffer(), go.importObject);
      go.run(w.instance);
    } catch (err) { postMessage({ down: String(err) }); }
    return;
  }
  self.engine(e.data.id, e.data.cmd, e.data.args, e.data.bin || null);
};`;
engine.started = new Promise((ok, no) => {
  setTimeout(() => {
    try {
      const url = URL.createObjectURL(new Blob([$('loader').textContent, glue], { type: 'text/javascript' }));
      const w = engine.worker = new Worker(url);
      w.onerror = e => { e.preventDefault(); no(new Error(e.message || 'the worker did not start')); };
      w.onmessage = e => {
        const m = e.data;
        if (m.up) { engine.up = true; return ok(); }
        if (m.down) return no(new Error(m.down));
        if (m.progress !== undefined) { $('status').textContent = 'computing ' + Math.round(100 * m.progress) + ' %'; return; }
        const p = engine.wait.get(m.id); engine.wait.delete(m.id);
        if (m.err) p.no(new Error(m.err)); else p.ok({ ...(m.text ? JSON.parse(m.text) : {}), bin: m.bin ? new Float32Array(m.bin.buffer) : null });
      };
      const wasm = bytes64($('engine').textContent);
      w.postMessage({ wasm }, [wasm.buffer]);
    } catch (err) { no(err); }
  }, 30);
});
engine.started.catch(() => {});

// Blue below zero, orange above: told apart by every common colour blindness.
const dark = () => document.documentElement.classList.contains('dark');
const stops = { light: [[28, 78, 150], [106, 158, 212], [246, 245, 242], [236, 163, 92], [168, 80, 8]], dark: [[132, 186, 255], [58, 104, 168], [34, 38, 45], [158, 92, 34], [255, 180, 105]] };
function colour(v) {
  if (!(v === v)) return [128, 128, 128];
  const s = stops[dark() ? 'dark' : 'light'], x = (clamp(v, -1, 1) + 1) * 2, i = Math.min(3, x | 0), f = x - i;
  return [0, 1, 2].map(k => Math.round(s[i][k] + (s[i + 1][k] - s[i][k]) * f));
}
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const math = (tex, small) => { const d = el('div', { className: 'math' + (small ? ' small' : '') }); try { temml.render(tex, d, { displayMode: true }); } catch { d.textContent = tex; } return d; };
const layerOf = lane => Math.floor(lane / S.D), dirOf = lane => lane % S.D;
const laneName = i => 'layer ' + layerOf(i) + (S.D === 2 ? [' →', ' ←'][dirOf(i)] : '');
const noteName = k => ['A', 'A♯', 'B', 'C', 'C♯', 'D', 'D♯', 'E', 'F', 'F♯', 'G', 'G♯'][k % 12] + Math.floor((k + 9) / 12);
const paramName = (kind, lane) => `${kind}_l${layerOf(lane)}${dirOf(lane) ? '_reverse' : ''}`;
