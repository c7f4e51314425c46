// Wiring: tabs, playing, keys, files, theme.
function tab(name) { for (const b of document.querySelectorAll('nav button')) { const on = b.dataset.tab === name; b.setAttribute('aria-selected', on); $(b.dataset.tab).hidden = !on; } if (name !== 'lesson' && S.marks) { S.marks = null; draw(); } }
const tabs = { cell: openCell, ask: () => { tab('ask'); askTab(); }, change: () => { tab('change'); changeTab(S.param); }, lesson: () => { tab('lesson'); lessonTab(); } };
for (const b of document.querySelectorAll('nav button')) b.onclick = () => tabs[b.dataset.tab]();
function describe() { const c = S.cfg; $('model').textContent = (data.title && !S.opened ? data.title + ': ' : '') + `${c.mode} ${c.input_size} → ${c.hidden_size}${c.proj_size ? ' → ' + c.proj_size : ''}, ${S.L} layer${S.L > 1 ? 's' : ''}${S.D === 2 ? ', both directions' : ''}, ${S.steps} steps`; document.title = 'unroll: ' + $('model').textContent; $('shapes').textContent = `input [${S.steps}, ${S.I}]  output [${S.steps}, ${S.D * S.size}]  h_n [${S.lanes}, ${S.size}]` + (S.size > most ? `; ${most} of ${S.size} units drawn` : ''); $('pick').hidden = Math.max(S.size, S.cfg.hidden_size) <= most; }
function whats() { const names = { h: 'h, the hidden state', c: 'c, the cell state', d: 'change from the kept run' }; const list = ['h', ...(S.cfg.mode === 'LSTM' ? ['c'] : []), ...(S.gates.length > 1 ? S.gates : []), ...(S.kept ? ['d'] : [])]; if (!list.includes(S.what)) S.what = 'h'; $('what').replaceChildren(...list.map(w => el('option', { value: w, textContent: names[w] || 'gate ' + w, selected: w === S.what }))); }
$('what').onchange = e => { S.what = e.target.value; layout(); draw(); say(); };
$('units').append(el('option', { value: 'even', textContent: 'evenly chosen' }), el('option', { value: 'first', textContent: `the first ${most}` }));
$('units').onchange = e => { S.choice = e.target.value; S.era = (S.era || 0) + 1; forget(); layout(); draw(); };
function zoom(cell) { const g = $('grid'), mid = (g.scrollLeft + g.clientWidth / 2 - G.gut) / S.cell; S.cell = clamp(cell, 3, 84); layout(); g.scrollLeft = mid * S.cell + G.gut - g.clientWidth / 2; $('zoom').value = 100 * Math.log(S.cell / 3) / Math.log(28); draw(); }
$('zoom').oninput = e => zoom(3 * Math.pow(28, e.target.value / 100));
function say() { const a = numbers(S.lane < 0 ? 'x' : S.what, S.lane, Math.floor(S.t / N)), n = unitsOf(S.lane < 0 ? 'x' : S.what).length, v = a ? [...a.subarray((S.t % N) * n, (S.t % N + 1) * n)] : []; $('acell').textContent = `${S.lane < 0 ? 'input' : laneName(S.lane)}, step ${S.t}, unit ${S.u}: ` + v.slice(0, 12).map(short).join(', '); $('acell').setAttribute('aria-colindex', S.t + 1); $('arow').setAttribute('aria-rowindex', S.lanes - S.lane); const g = $('grid'); g.setAttribute('aria-rowcount', S.lanes + 1); g.setAttribute('aria-colcount', S.steps); g.setAttribute('aria-activedescendant', 'acell'); }
let timer = 0;
function stop() { clearInterval(timer); timer = 0; $('play').textContent = '▶ play'; $('play').setAttribute('aria-label', 'play'); }
function at(k) { const end = S.steps * S.lanes - 1; k = clamp(k, 0, end); S.cursor = k; [S.t, S.lane] = order(k); $('processing').textContent = `Processing x_${S.t}${S.labels ? ' “' + S.labels[S.t] + '”' : ''}: ${laneName(S.lane)}`; show(S.t, S.lane); draw(); if (k === end) stop(); }
const beat = () => { stop(); timer = setInterval(() => at(S.cursor + 1), 1000 / $('pace').value); $('play').textContent = 'pause'; $('play').setAttribute('aria-label', 'pause'); };
$('play').onclick = () => { if (timer) stop(); else { if (S.cursor >= S.steps * S.lanes - 1) S.cursor = -1; at(S.cursor + 1); beat(); } };
$('pace').oninput = () => { if (timer) beat(); };
$('next').onclick = () => { stop(); at(S.cursor + 1); }; $('back').onclick = () => { stop(); at(S.cursor < 0 ? S.steps * S.lanes - 1 : S.cursor - 1); };
$('first').onclick = () => { stop(); at(0); }; $('whole').onclick = () => { stop(); S.cursor = -1; $('processing').textContent = ''; draw(); };
const grid = $('grid');
grid.onscroll = draw;
grid.onclick = e => { const h = hit(e); if (h) go(h.lane, h.t, h.u); };
grid.onwheel = e => { if (e.ctrlKey) { e.preventDefault(); zoom(S.cell * Math.exp(-e.deltaY / 300)); } };
grid.onkeydown = e => {
  const units = unitsOf(S.lane < 0 ? 'x' : S.what), k = Math.max(0, units.indexOf(S.u)), move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1], Home: [-S.t, 0], End: [S.steps, 0], PageUp: [-20, 0], PageDown: [20, 0] }[e.key];
  if (move) { e.preventDefault(); if (e.shiftKey && move[1]) go(S.lane, S.t, units[clamp(k - move[1], 0, units.length - 1)], !$('cell').hidden); else { const lane = clamp(S.lane + move[1], -1, S.lanes - 1); go(lane, clamp(S.t + move[0], 0, S.steps - 1), lane < 0 ? Math.min(S.u, S.I - 1) : clamp(S.u, 0, S.size - 1), !$('cell').hidden); } }
  else if (e.key === 'Enter') { e.preventDefault(); openCell(); }
};
document.addEventListener('keydown', e => { if (/^(INPUT|SELECT|TEXTAREA|BUTTON)$/.test(e.target.tagName) || e.ctrlKey || e.metaKey || e.altKey) return; const f = { ' ': 'play', n: 'next', b: 'back', w: 'whole', '+': () => zoom(S.cell * 1.3), '-': () => zoom(S.cell / 1.3), 1: tabs.cell, 2: tabs.ask, 3: tabs.change, 4: tabs.lesson }[e.key]; if (f) { e.preventDefault(); if (typeof f === 'string') $(f).click(); else f(); } });
async function opened(f) { if (!f) return; $('status').textContent = 'reading ' + f.name; try { const bin = new Uint8Array(await f.arrayBuffer()), r = await engine.call('open', { name: f.name }, bin); S.opened = true; S.labels = null; S.kind = 'vectors'; S.lane = 0; S.t = 0; S.u = 0; renew(r); S.lane = S.lanes - 1; fit(); openCell(); $('status').textContent = f.name + ', on this machine only'; } catch (e) { $('status').textContent = String(e.message); } }
$('open').onclick = () => $('file').click(); $('file').onchange = e => opened(e.target.files[0]);
addEventListener('dragover', e => { e.preventDefault(); document.body.classList.add('drag'); }); addEventListener('dragleave', () => document.body.classList.remove('drag')); addEventListener('drop', e => { e.preventDefault(); document.body.classList.remove('drag'); opened(e.dataTransfer.files[0]); });
function paintScale() { const c = $('scale'), p = c.getContext('2d'); for (let i = 0; i < 160; i++) { p.fillStyle = `rgb(${colour(i / 79.5 - 1)})`; p.fillRect(i, 0, 1, 10); } }
function theme(d) { document.documentElement.classList.toggle('dark', d); paintScale(); draw(); }
$('theme').onclick = () => { theme(!dark()); if ($('follow').firstChild) follow(); };
function fit() { layout(); const room = grid.clientWidth - G.gut - 70; zoom(room / (S.steps + 1)); if (S.cell < 12) zoom(Math.max(S.cell, S.kind === 'vectors' ? 24 : 12)); }
addEventListener('resize', () => { layout(); draw(); });
addEventListener('beforeprint', () => { const g = grid; g.style.height = G.height + 'px'; layout(); paint(); }); addEventListener('afterprint', () => { grid.style.height = ''; layout(); draw(); });
theme(matchMedia('(prefers-color-scheme: dark)').matches); matchMedia('(prefers-color-scheme: dark)').onchange = e => theme(e.matches);
whats(); fit(); describe(); say(); show(S.t, S.lane);
engine.started.then(async () => { await engine.call('load', { config: S.cfg, steps: S.steps, state: true, recorded: true, example: data.example }, new Uint8Array(block.buffer)); $('status').textContent = 'the engine is ready'; document.body.dataset.ready = '1'; }, e => { $('status').textContent = 'The engine could not start (' + e.message + '); the grid shows the recorded run, without editing.'; });
openCell();
window.unroll = { S, engine, go }; // for the browser's console
