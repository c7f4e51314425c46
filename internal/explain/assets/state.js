// What the page is about: the model, the run, and where one is in it.
//
// A lane is one layer in one direction, lane = layer * D + direction; lane -1 is
// the input.

const data = JSON.parse($('data').textContent);
const block = new Float32Array(bytes64($('block').textContent).buffer);

const S = {
  lane: 0, t: 0, u: 0,       // the chosen number: lane, step, unit
  what: 'h',                 // what the cells show
  choice: 'even',            // which units are drawn where there are many
  cell: 64,                  // width of a step
  cursor: -1,                // how many cells have been played; -1: all
  labels: data.labels, columns: data.columns, kind: data.kind, title: data.title,
  marks: null,               // what the lesson's loop got wrong, [L*D,T], and
  wrong: null,               // its own numbers
  foreign: false,            // another model was opened: the boxes are not around it
  hover: null,               // the number under the pointer
  influence: null,           // the answer to "what moved it?" that the bars show,
  answer: null,              // the one about the chosen number,
  question: null,            // and what was asked last
  era: 0,                    // counts changes: an answer of an older era is dropped
};

// model takes over what the engine says about a model.
function model(about) {
  S.cfg = about.config;
  S.steps = about.steps;
  S.params = about.params;
  S.gates = about.gates.length > 1 ? about.gates : [];
  S.hasCell = about.cell;
  S.bounded = about.bounded;
  S.backwards = about.reversed;
  S.idea = about.idea;
  S.block = about.block;
  S.kept = about.kept;
  S.at = about.at || 0;
  S.edits = about.edits || 0;
  S.D = S.cfg.bidirectional ? 2 : 1;
  S.L = S.cfg.num_layers;
  S.lanes = S.L * S.D;
  S.I = S.cfg.input_size;
  S.H = S.cfg.hidden_size;
  S.size = S.cfg.proj_size || S.H;
  S.lane = clamp(S.lane, -1, S.lanes - 1);
  S.t = clamp(S.t, 0, S.steps - 1);
  S.u = clamp(S.u, 0, (S.lane < 0 ? S.I : S.size) - 1);
}

model(data);
S.lane = S.lanes - 1;
S.t = S.steps - 1;

// toPlace goes where the link that was opened says: a number, what the cells show,
// and a tab.
function toPlace() {
  const place = new URLSearchParams(location.hash.slice(1)), at = (name, low, high, own) => place.has(name) ? clamp(Math.round(+place.get(name)) || 0, low, high) : own;
  S.lane = at('lane', -1, S.lanes - 1, S.lane);
  S.t = at('step', 0, S.steps - 1, S.t);
  S.u = at('unit', 0, (S.lane < 0 ? S.I : S.size) - 1, 0);
  if (place.has('show') && ['h', ...(S.hasCell ? ['c'] : []), ...S.gates].includes(place.get('show'))) S.what = place.get('show');
  return place.get('tab');
}

const firstTab = toPlace();

// heldBy are the numbers of a part as the engine takes them: where the page has the
// rows of x that differ, every step gets its own.
function heldBy(facts) {
  const held = block.subarray(facts.at, facts.at + facts.count), I = facts.config.input_size;
  if (!facts.rows) return held;
  const from = countParams(facts), which = from + facts.rows * I, rest = which + facts.steps;
  const all = new Float32Array(from + facts.steps * I + held.length - rest);
  all.set(held.subarray(0, from));
  for (let t = 0; t < facts.steps; t++) {
    const at = from + held[which + t] * I;
    all.set(held.subarray(at, at + I), from + t * I);
  }
  all.set(held.subarray(rest), from + facts.steps * I);
  return all;
}

const countParams = facts => facts.params.reduce((sum, p) => sum + p.shape.reduce((x, y) => x * y, 1), 0);

// ownOf is the record that came with the page, which holds until something is
// changed.
function ownOf(facts) {
  const held = heldBy(facts);
  let at = countParams(facts);
  const take = n => held.subarray(at, at += n);
  const own = { x: take(S.steps * S.I), h0: take(S.lanes * S.size) };
  if (S.hasCell) take(S.lanes * S.H);
  if (facts.ends) return { ...own, h: [], c: [] }; // every 64th state: the engine computes the rest
  own.h = range(S.lanes).map(() => take(S.steps * S.size));
  own.c = S.hasCell ? range(S.lanes).map(() => take(S.steps * S.H)) : [];
  return own;
}

S.own = ownOf(data);

const layerOf = lane => Math.floor(lane / S.D);
const directionOf = lane => lane % S.D;
// reversed says whether a lane goes from the last step to the first.
const reversed = lane => directionOf(lane) === 1 || S.backwards;
// Layers have numbers from 1, as in h_t^l; PyTorch's names count them from 0.
const laneName = i => i < 0 ? 'input' : 'layer ' + (layerOf(i) + 1) + (reversed(i) ? ' ←' : S.D === 2 ? ' →' : '');
const paramName = (kind, lane) => `${kind}_l${layerOf(lane)}${directionOf(lane) ? '_reverse' : ''}`;
const shapeOf = name => (S.params.find(p => p.name === name) || {}).shape;

// The letters of PyTorch's shapes, as the documentation of this project has them.
const gateCount = () => S.gates.length || '';
const letters = {
  state: () => S.cfg.proj_size ? 'P' : 'H',
  output: () => (S.D === 2 ? '2·' : '') + letters.state(),
  lanes: () => S.D === 2 ? '2·L' : 'L',
  ih: lane => `[${gateCount()}H, ${layerOf(lane) ? letters.output() : 'I'}]`,
  hh: () => `[${gateCount()}H, ${letters.state()}]`,
};

// widthOf is how many numbers a cell has of what it shows.
const widthOf = what => what === 'x' ? S.I : what === 'h' || what === 'd' ? S.size : S.H;

// stepName names a step, with its character, word or time where there is one.
const stepName = t => `x_${t}` + (S.labels && S.labels[t] !== undefined ? ` “${printable(S.labels[t])}”` : '');
const printable = s => s === ' ' ? '␣' : s === '\n' ? '⏎' : s;

// inputName names one input: a note, a column, or its index.
function inputName(k) {
  if (S.kind === 'notes') return noteName(k);
  return S.columns && S.columns[k] ? S.columns[k] : '';
}

// A piano's keys, 0 is A0.
const noteName = k => ['A', 'A♯', 'B', 'C', 'C♯', 'D', 'D♯', 'E', 'F', 'F♯', 'G', 'G♯'][k % 12] + Math.floor((k + 9) / 12);
