// Playing the computation in the order it happens.

// inTime is the time of the s-th step of a lane, and the inverse.
const inTime = (lane, s) => reversed(lane) ? S.steps - 1 - s : s;

// With one direction a step goes up through all layers before the next begins.
// With two a layer is finished, forward and then reverse, before the layer above
// can begin.
function order(k) {
  if (S.D === 1) return [inTime(0, Math.floor(k / S.L)), k % S.L];
  const lane = Math.floor(k / S.steps), s = k % S.steps;
  return [inTime(lane, s), lane];
}

function placeOf(t, lane) {
  if (S.D === 1) return inTime(0, t) * S.L + lane;
  return lane * S.steps + inTime(lane, t);
}

const isPlayed = (t, lane) => S.cursor < 0 || placeOf(t, lane) <= S.cursor;
const lastCell = () => S.steps * S.lanes - 1;

let timer = 0;

function playing(on) {
  clearInterval(timer);
  timer = on ? setInterval(() => playTo(S.cursor + 1), 1000 / pace()) : 0;
  $('play').textContent = on ? '❚❚ pause' : '▶ play';
}

// pace is in cells a second, from one in four seconds to thirty.
const pace = () => .25 * Math.pow(120, $('pace').value / 100);

function playTo(k) {
  S.cursor = clamp(k, 0, lastCell());
  [S.t, S.lane] = order(S.cursor);
  S.u = Math.min(S.u, S.size - 1);
  $('processing').textContent = `Processing ${stepName(S.t)}: ${laneName(S.lane)}`;
  show(S.t, S.lane);
  draw();
  say();
  if (S.cursor === lastCell()) playing(false);
  if (!$('lesson').hidden) markLoopLine();
}

function wirePlaying() {
  $('first').onclick = () => { playing(false); playTo(0); };
  $('back').onclick = () => { playing(false); playTo(S.cursor < 0 ? lastCell() : S.cursor - 1); };
  $('next').onclick = () => { playing(false); playTo(S.cursor + 1); };
  $('whole').onclick = () => { playing(false); S.cursor = -1; $('processing').textContent = ''; draw(); };
  $('play').onclick = () => {
    if (timer) { playing(false); return; }
    if (S.cursor >= lastCell()) S.cursor = -1;
    playTo(S.cursor + 1);
    playing(S.cursor < lastCell());
  };
  $('pace').oninput = () => { if (timer) playing(true); };
}
