// The numbers that are drawn. They are asked of the engine in blocks of steps
// when they come into view, for the drawn units only, and kept until something
// changes. One block is asked for at a time, and what is in view then: whoever scrolls
// on does not wait for what was passed.

const most = 48;                                // units drawn in a cell
const blocks = new Map(), largest = {};
const missing = new Map(); // blocks that the last picture lacked
let asking = '';           // the one that the engine is asked for

function forget() {
  S.era++;
  blocks.clear();
  missing.clear();
  asking = '';
  for (const k in largest) delete largest[k];
}

// drawn lists the units that stand for a vector of n numbers.
function drawn(n) {
  const k = Math.min(n, most);
  return range(k).map(i => S.choice === 'first' ? i : Math.floor(i * n / k));
}

const isGate = what => S.gates.includes(what);
const unitsOf = what => what === 'x' ? S.ux : widthOf(what) === S.size && !isGate(what) && what !== 'c' ? S.uh : S.uc;

// stepsOf is how many steps a block has. A gate is computed anew from the
// record, so its blocks are short where the layer is large: a click is not to
// wait for them.
function stepsOf(what) {
  if (!isGate(what)) return S.block;
  return clamp(Math.floor(2e7 / (S.gates.length * S.H * (S.H + Math.max(S.I, S.size * S.D)))), 1, 256);
}

// numbers returns block b of what a lane shows, [steps, units], or null: the engine
// is asked for it after the picture.
function numbers(what, lane, b) {
  const key = `${what}:${lane}:${b}`;
  if (blocks.has(key)) return blocks.get(key);
  const from = b * stepsOf(what), to = Math.min(S.steps, from + stepsOf(what)), units = unitsOf(what);
  const own = S.own && (what === 'x' ? S.own.x : (S.own[what] || [])[lane]);
  if (own) return keep(key, what, pickOut(own, widthOf(what), from, to, units));
  missing.set(key, { what, lane, from, to, units });
  return null;
}

// askMissing asks for what the picture lacks, the steps next to the chosen one first.
// Where what is being computed has left the view, this takes its place.
function askMissing() {
  if (!missing.size || missing.has(asking)) return;
  const far = ({ from, to }) => Math.max(from - S.t, S.t - to + 1, 0);
  const [key, block] = [...missing].reduce((a, b) => far(b[1]) < far(a[1]) ? b : a), era = S.era;
  asking = key;
  engine.call('values', { ...block, view: true }).then(answer => {
    if (era !== S.era) return;
    if (asking === key) asking = '';
    draw();
    if (answer.superseded) return;
    keep(key, block.what, answer.bin || new Float32Array(0));
    say();
    if (block.what === 'x' && S.lane < 0 && !$('cell').hidden && $('xvalue') && !$('xvalue').value && !$('xvalue').validity.badInput) openCell();
  }, e => status(e.message));
}

// allNumbers waits until every block of what the grid shows is there.
async function allNumbers() {
  const era = S.era;
  for (const [what, lanes] of [['x', [-1]], [S.what, range(S.lanes)]]) {
    for (const lane of lanes) {
      for (let b = 0; b * stepsOf(what) < S.steps; b++) {
        if (numbers(what, lane, b)) continue;
        const from = b * stepsOf(what), to = Math.min(S.steps, from + stepsOf(what));
        const answer = await engine.call('values', { what, lane, from, to, units: unitsOf(what) });
        if (era !== S.era) throw new Error('it changed meanwhile');
        keep(`${what}:${lane}:${b}`, what, answer.bin || new Float32Array(0));
      }
    }
  }
}

function pickOut(own, n, from, to, units) {
  const out = new Float32Array((to - from) * units.length);
  let k = 0;
  for (let t = from; t < to; t++) for (const u of units) out[k++] = own[t * n + u];
  return out;
}

function keep(key, what, values) {
  blocks.set(key, values);
  let big = largest[what] || 0;
  for (const v of values) if (Math.abs(v) > big && isFinite(v)) big = Math.abs(v);
  largest[what] = big;
  return values;
}

// vector returns the drawn numbers of one cell, or null.
function vector(what, lane, t) {
  const n = stepsOf(what), all = numbers(what, lane, Math.floor(t / n)), units = unitsOf(what).length;
  return all && all.length ? all.subarray(t % n * units, (t % n + 1) * units) : null;
}

// scaleOf is the number that has the strongest colour: 1 for what an activation
// bounds, unless all is far below it; else the largest number seen so far.
function scaleOf(what) {
  const bounded = S.bounded && isGate(what) || what === 'h' && S.bounded;
  return bounded && !(largest[what] < .3) ? 1 : largest[what] || 1;
}
