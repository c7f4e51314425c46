// Where things stand on the grid. X and laneY turn steps and lanes into places on
// the canvas. Lengths are CSS pixels, on a projector larger ones.

const G = {};

const size = () => innerWidth >= 1900 ? 1.35 : 1;

// whole, if set, is a view of all of the grid, for a picture of it.
let whole = null;

let printing = false; // paper has room for digits, but not for wide arrows

// view is the part of the grid that is seen, in those lengths.
function view() {
  if (whole) return whole;
  const g = $('grid'), z = size();
  return { w: g.clientWidth / z, h: g.clientHeight / z, left: g.scrollLeft / z, top: g.scrollTop / z };
}

function scrollBy(dx, dy) {
  $('grid').scrollLeft += dx * size();
  $('grid').scrollTop += dy * size();
}

function layout() {
  const grid = $('grid'), z = size(), wide = view().w > 640;
  S.ux = S.kind === 'notes' ? range(S.I).reverse() : drawn(S.I);
  S.uh = drawn(S.size);
  S.uc = drawn(S.H);
  G.gutter = wide ? 176 : 92;
  G.right = wide ? 148 : 66;
  G.top = 44;
  G.w = S.cell;
  // Room before the first step: for initial states, or the names of where a lane
  // that goes back ends.
  const back = range(S.lanes).some(reversed);
  G.least = back && wide ? 116 : 52;
  G.lead = Math.max(G.w, G.least);
  G.pad = printing ? Math.min(3, G.w * .06) : G.w >= 48 ? Math.min(18, G.w * .14) : G.w >= 24 ? G.w * .2 : G.w >= 6 ? 1 : 0;
  G.gap = wide ? 46 : 34;
  G.line = S.kind === 'series' ? 72 : 0;
  const rows = unitsOf(S.what).length, foot = 34 + G.line;
  const room = available() / z - G.top - S.lanes * G.gap - foot;
  // What x takes: a piano roll two pixels a key, many inputs a quarter, a few beside
  // many units a line each.
  const n = S.ux.length, notes = S.kind === 'notes', many = n > 12;
  const own = notes ? 2 * S.I : many ? clamp(Math.floor(room / 4), 2 * n, 140) : rows > 12 ? clamp(room - 2 * S.lanes * rows, 6 * n, 17 * n) : 0;
  const each = Math.floor((room - own) / (S.lanes * rows + (own ? 0 : n)));
  G.row = rows <= 12 ? clamp(each, 17, 36) : clamp(each, 2, 6);
  G.rowX = notes ? 2 : own ? Math.floor(own / n) : clamp(each, 17, 36);
  G.h = rows * G.row;
  G.hx = S.ux.length * G.rowX;
  G.yx = G.top + S.lanes * (G.h + G.gap);
  G.width = G.gutter + G.lead + S.steps * G.w + Math.max(G.right, back ? G.w + 8 : 0);
  G.height = G.yx + G.hx + foot;
  // A line of words less is no reason to scroll: better the page does.
  const most = available(), all = G.height * z + 2;
  grid.style.maxHeight = (all > most && all < most + 36 ? all : most) + 'px';
  $('space').style.width = G.width * z + 'px';
  $('space').style.height = G.height * z + 'px';
}

// available is how high the grid may become without a scroll bar of its own.
function available() {
  if (innerWidth <= 820) return innerHeight * .6;
  const left = $('left'), outer = e => ['marginTop', 'marginBottom'].reduce((sum, k) => sum + parseFloat(getComputedStyle(e)[k]), 0);
  const others = [...left.children].filter(e => e.offsetHeight).reduce((sum, e) => sum + outer(e) + (e.id === 'grid' ? 0 : e.offsetHeight), 0);
  const style = getComputedStyle(left);
  return Math.max(260, left.clientHeight - others - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom) - 4);
}

// X is the left end of step t; step -1 holds the initial states (step T those
// of the reverse direction).
const X = t => G.gutter + G.lead + t * G.w - view().left;
const laneY = i => (i < 0 ? G.yx : G.top + (S.lanes - 1 - i) * (G.h + G.gap)) - view().top;
const heightOf = i => i < 0 ? G.hx : G.h;

// hit says which number is under a pointer.
function hit(e) {
  const box = $('grid').getBoundingClientRect(), x = (e.clientX - box.left) / size(), y = (e.clientY - box.top) / size();
  const t = Math.floor((x - X(0)) / G.w);
  if (x < G.gutter - 10 || t < 0 || t >= S.steps) return null;
  for (let i = -1; i < S.lanes; i++) {
    const top = laneY(i), rowHeight = i < 0 ? G.rowX : G.row, units = unitsOf(i < 0 ? 'x' : S.what);
    if (y < top - 4 || y > top + heightOf(i) + 4) continue;
    return { lane: i, t, u: units[clamp(Math.floor((y - top) / rowHeight), 0, units.length - 1)] };
  }
  return null;
}

// show scrolls a cell into view.
function show(t, lane) {
  const v = view(), x = X(t), y = laneY(lane), bottom = y + heightOf(lane) + 30;
  if (x < G.gutter) scrollBy(x - G.gutter - G.w, 0);
  else if (x + G.w > v.w - 70) scrollBy(x + 2 * G.w - v.w + 70, 0);
  if (y < G.top) scrollBy(0, y - G.top);
  else if (bottom > v.h) scrollBy(0, bottom - v.h);
}

// zoom sets the width of a step and keeps the middle where it is.
function zoom(width) {
  const { w, left } = view(), middle = (left + w / 2 - G.gutter - G.lead) / S.cell;
  S.cell = clamp(width, 3, 116);
  layout();
  $('grid').scrollLeft = (middle * S.cell + G.gutter + G.lead - w / 2) * size();
  $('zoom').value = 100 * Math.log(S.cell / 3) / Math.log(116 / 3);
  draw();
}

// fit makes the whole run visible where its cells stay large enough to be told
// apart.
function fit() {
  layout();
  const room = view().w - G.gutter, back = range(S.lanes).some(reversed);
  const all = Math.min((room - G.least - G.right) / S.steps, (room - G.right) / (S.steps + 1), back ? (room - G.least - 8) / (S.steps + 1) : Infinity);
  zoom(Math.max(all, S.kind === 'vectors' ? 24 : 12));
  $('grid').scrollLeft = 0;
}
