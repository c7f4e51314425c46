// Pointer and keys on the grid, and keys for the whole page.

const moves = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
  Home: [-Infinity, 0], End: [Infinity, 0], PageUp: [-20, 0], PageDown: [20, 0],
};

function wireGrid() {
  const grid = $('grid');
  grid.onscroll = draw;
  grid.onclick = e => {
    const at = hit(e);
    if (at) go(at.lane, at.t, at.u);
  };
  grid.onwheel = e => {
    if (!e.ctrlKey) return;
    e.preventDefault();
    zoom(S.cell * Math.exp(-e.deltaY / 300));
  };
  grid.onkeydown = e => {
    if (e.key === 'Enter') { e.preventDefault(); openTab('cell'); return; }
    const move = moves[e.key];
    if (!move || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    const open = !$('cell').hidden;
    if (e.shiftKey && move[1]) go(S.lane, S.t, nextUnit(-move[1]), open);
    else step(move, open);
  };
}

function step([dt, dlane], open) {
  const lane = clamp(S.lane + dlane, -1, S.lanes - 1);
  go(lane, clamp(S.t + dt, 0, S.steps - 1), clamp(S.u, 0, (lane < 0 ? S.I : S.size) - 1), open);
}

// nextUnit is the drawn unit below or above the chosen one.
function nextUnit(by) {
  const units = unitsOf(S.lane < 0 ? 'x' : S.what);
  return units[clamp(Math.max(0, units.indexOf(S.u)) + by, 0, units.length - 1)];
}

const shortcuts = {
  ' ': () => $('play').click(), n: () => $('next').click(), b: () => $('back').click(), w: () => $('whole').click(),
  '+': () => zoom(S.cell * 1.3), '-': () => zoom(S.cell / 1.3),
  1: () => openTab('cell'), 2: () => openTab('ask'), 3: () => openTab('change'), 4: () => openTab('lesson'),
};

function wireKeys() {
  document.addEventListener('keydown', e => {
    if (/^(INPUT|SELECT|BUTTON|A)$/.test(e.target.tagName) || e.ctrlKey || e.metaKey || e.altKey) return;
    const f = shortcuts[e.key];
    if (f) { e.preventDefault(); f(); }
  });
}
