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
    if (!at) return;
    const done = go(at.lane, at.t, at.u, !S.loop && S.tab !== 'ask');
    // On a phone the panel lies below: what a tap opened comes into view.
    if (innerWidth <= 820 && !S.loop) Promise.resolve(done).then(() => $('panel').scrollIntoView({ block: 'start' }));
  };
  grid.onpointermove = e => hovered(hit(e), e);
  grid.onpointerleave = () => hovered(null);
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

// hovered frames the number under the pointer and says it beside it.
function hovered(at, e) {
  const was = S.hover, tip = $('tip');
  S.hover = at;
  if (String(was && [was.lane, was.t, was.u]) !== String(at && [at.lane, at.t, at.u])) { draw(); peek(); }
  tip.hidden = !at || e.pointerType === 'touch';
  if (tip.hidden) return;
  const what = at.lane < 0 ? 'x' : S.what, loops = what === 'h' && S.marks && S.marks[at.lane * S.steps + at.t] > 0;
  const v = loops ? loopNumbers(at.lane, at.t) : vector(what, at.lane, at.t), k = unitsOf(what).indexOf(at.u);
  const name = at.lane < 0 ? `x_${at.t}[${at.u}] ${inputName(at.u)}` : `${what === 'd' ? 'change' : what}[${at.u}], ${laneName(at.lane)}, step ${at.t}`;
  tip.textContent = `${name.trim()}: ${v ? full(v[k]) : '…'}${loops ? ' in the loop' : ''}`;
  tip.style.left = clamp(e.clientX + 14, 4, innerWidth - tip.offsetWidth - 4) + 'px';
  tip.style.top = clamp(e.clientY + 16, 4, innerHeight - tip.offsetHeight - 4) + 'px';
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
  1: () => openTab('lesson'), 2: () => openTab('cell'), 3: () => openTab('ask'), 4: () => openTab('change'), 5: () => openTab('save'),
};

function wireKeys() {
  document.addEventListener('keydown', e => {
    if (/^(INPUT|SELECT|TEXTAREA|BUTTON|A)$/.test(e.target.tagName) || e.ctrlKey || e.metaKey || e.altKey) return;
    const f = shortcuts[e.key];
    if (f) { e.preventDefault(); f(); }
  });
}
