// The panel: its tabs, and moving from number to number.

const tabs = { lesson: lessonTab, cell: openCell, ask: askTab, change: changeTab, save: saveTab };

function openTab(name) {
  for (const id in tabs) {
    const on = id === name, tab = $('tab-' + id);
    tab.setAttribute('aria-selected', on);
    tab.tabIndex = on ? 0 : -1;
    $(id).hidden = !on;
  }
  if (name !== 'lesson' && S.marks) { S.marks = S.loop = null; draw(); }
  S.tab = name;
  keepPlace();
  return tabs[name]();
}

// keepPlace puts the place into the address, so that a link to it can be kept.
function keepPlace() {
  const more = (S.what === 'h' ? '' : '&show=' + S.what) + (S.tab === 'cell' ? '' : '&tab=' + S.tab);
  history.replaceState(null, '', `#lane=${S.lane}&step=${S.t}&unit=${S.u}${more}`);
}

function wireTabs() {
  const names = Object.keys(tabs);
  for (const name of names) {
    const tab = $('tab-' + name);
    tab.onclick = () => openTab(name);
    tab.onkeydown = e => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (!by) return;
      e.preventDefault();
      const other = names[(names.indexOf(name) + by + names.length) % names.length];
      openTab(other);
      $('tab-' + other).focus();
    };
  }
}

// go chooses a number and, unless told otherwise, opens it.
function go(lane, t, u, open = true) {
  S.lane = lane;
  S.t = t;
  S.u = u;
  if (S.box >= 0) { S.box = -1; drawBoxes(); }
  keepPlace();
  show(t, lane);
  draw();
  say();
  if (open) return openTab('cell');
  if (S.tab === 'ask') return askAgain();
  return S.loop && !$('lesson').hidden ? compare(S.loop) : undefined;
}

const failed = (box, e) => box.append(text('p', String(e.message || e), 'bad'));

// notice says above the grid what must not be overlooked; nothing takes it away.
function notice(content, bad = false) {
  $('notice').textContent = content;
  $('notice').className = bad ? 'bad' : '';
  relayout();
}

const chosenNumbers = () => vector(S.lane < 0 ? 'x' : S.what, S.lane, S.t);

// say puts the chosen cell in words, under the grid and for a screen reader,
// which hears the cell again because it is another element each time.
let spoken = 0;
function say() {
  const v = chosenNumbers(), place = `${laneName(S.lane)}, step ${S.t}`;
  let content = place + ', ' + (v ? [...v.subarray(0, 8)].map(short).join(', ') : 'being computed');
  if (v && v.length > 8) content += ' …';
  if (S.lane < 0 && S.kind === 'notes' && v) {
    const sounding = S.ux.filter((_, k) => v[k] !== 0).reverse().map(noteName);
    content = `${place}: ${sounding.join(' ') || 'silence'}`;
  }
  if (S.labels) content += ` (${stepName(S.t)})`;
  const tall = $('here').offsetHeight;
  $('here').textContent = content;
  if ($('here').offsetHeight !== tall) relayout(); // a line more, a line less for the grid
  const cell = $('spoken' + (spoken ^= 1));
  cell.textContent = content + `, unit ${S.u}`;
  cell.setAttribute('aria-colindex', S.t + 1);
  cell.parentElement.setAttribute('aria-rowindex', S.lanes - S.lane);
  const grid = $('grid');
  grid.setAttribute('aria-rowcount', S.lanes + 1);
  grid.setAttribute('aria-colcount', S.steps);
  grid.setAttribute('aria-activedescendant', cell.id);
}
