// Changing a number or the number of layers. The engine runs again; the page
// shows what it says.

async function edit(name, index, value) {
  status('computing');
  try {
    const about = await engine.call('edit', { name, index, value });
    if (!about.superseded) await renew(about);
  } catch (e) {
    status('');
    notice(e.message, true);
  }
}

// renew shows another run: of another input, other weights, another model.
async function renew(about) {
  playing(false);
  model(about);
  looks.set(S.at, look());
  edited();
  S.own = null;
  S.influence = S.answer = S.question = S.marks = null;
  S.cursor = -1;
  $('processing').textContent = '';
  forget();
  const era = S.era, h0 = (await engine.call('numbers', { name: 'h_0' })).bin;
  if (era !== S.era) return;
  S.h0 = h0;
  showChoices();
  describe();
  drawBoxes();
  layout();
  draw();
  say();
  status('computed here');
  for (const id of ['cell', 'change', 'ask', 'lesson']) if (!$(id).hidden) tabs[id]();
  if ($('follow').firstChild) follow();
}

// What of a run only the page knows, by the change that made it: undo brings it back.
const looks = new Map();
const look = () => ({ kind: S.kind, labels: S.labels, columns: S.columns, title: S.title, foreign: S.foreign });

// edited says whether the run is still the one that the page came with.
function edited() {
  $('edited').textContent = S.edits ? `edited: ${S.edits} ${S.edits === 1 ? 'change' : 'changes'}` : '';
  $('undo').hidden = $('reset').hidden = !S.edits;
}

async function goBack(cmd) {
  status('computing');
  try {
    const about = await engine.call(cmd);
    if (about.superseded) return;
    Object.assign(S, looks.get(about.at));
    S.param = null;
    notice('');
    await renew(about);
    status(about.edits ? 'one change less' : 'as it came');
  } catch (e) {
    status('');
    notice(e.message, true);
  }
}

function wireHistory() {
  $('undo').onclick = () => goBack('undo');
  $('reset').onclick = () => goBack('reset');
  document.addEventListener('keydown', e => {
    if (!(e.ctrlKey || e.metaKey) || e.key !== 'z' || !S.edits || /^(INPUT|TEXTAREA)$/.test(e.target.tagName)) return;
    e.preventDefault();
    goBack('undo');
  });
}

async function setLayers(n) {
  status('computing');
  try {
    await renew(await engine.call('layers', { n: Math.round(n) }));
  } catch (e) {
    status('');
    notice(e.message, true);
  }
}

// named lists everything that has numbers to change.
function named() {
  const all = [{ name: 'input', shape: [S.steps, S.I] }, { name: 'h_0', shape: [S.lanes, S.size] }];
  if (S.hasCell) all.push({ name: 'c_0', shape: [S.lanes, S.H] });
  return all.concat(S.params);
}

// toNumber goes to one number of a parameter or an initial state.
async function toNumber(name, index) {
  S.param = { name, index };
  await openTab('change');
  $('value').focus();
}

let typed = ''; // an input that is being written

async function changeTab() {
  const all = named(), p = all.find(q => q.name === (S.param || {}).name) || all.find(q => q.name === 'weight_ih_l0');
  const columns = p.shape[1] || 1, size = p.shape[0] * columns, index = clamp(S.param ? S.param.index : 0, 0, size - 1);
  const mine = S.param = { name: p.name, index };
  const to = i => { S.param = { name: p.name, index: clamp(i, 0, size - 1) }; changeTab(); };
  const list = control('select', 'parameter', { id: 'parameter', size: Math.min(8, all.length), ariaLabel: 'parameter' },
    ...all.map(q => el('option', { value: q.name, textContent: `${q.name}${{ h_0: ' = h_init', c_0: ' = c_init' }[q.name] || ''}  [${q.shape.join(', ')}]`, selected: q === p })));
  list.onchange = () => { S.param = { name: list.value, index: 0 }; changeTab(); };
  const rowBox = field('row', { min: 0, max: p.shape[0] - 1, value: Math.floor(index / columns), ariaLabel: 'row' }, r => to(clamp(r, 0, p.shape[0] - 1) * columns + index % columns));
  const columnBox = field('column', { min: 0, max: columns - 1, value: index % columns, ariaLabel: 'column' }, c => to(index - index % columns + clamp(c, 0, columns - 1)));
  const value = field('value', { step: 'any', ariaLabel: 'value' }, v => edit(p.name, index, v));
  const layers = field('nlayers', { min: 1, max: 64, value: S.L, ariaLabel: 'number of layers' }, setLayers);
  let focus = document.activeElement && $('change').contains(document.activeElement) ? document.activeElement.id : '';
  $('change').replaceChildren(
    text('h2', 'Change it'),
    hint('What follows is computed here, by the engine of the command, with the same bits.'),
    text('h3', 'number of layers'), row(layers),
    text('h3', 'a number'), row(list), row('row ', rowBox, ' column ', columnBox), row('value ', value),
    text('h3', 'another input'), hint(`A step a line, in each ${S.I} ${S.I === 1 ? 'number' : 'numbers'} with blanks or commas between; or drop a .npy or .csv file on the page.`),
    control('textarea', 'typed', { id: 'typed', rows: 4, ariaLabel: 'another input', value: typed, oninput: e => { typed = e.target.value; } }),
    row(button('setinput', 'Run on it', () => setInput('what was typed', new TextEncoder().encode(typed)))),
    text('h3', 'another model'), hint('Drop a .safetensors or .pt file on the page, or choose one with Open. It stays on this machine.'));
  if (focus && $(focus)) $(focus).focus();
  try {
    const numbers = (await engine.call('numbers', { name: p.name })).bin;
    if (S.param === mine) value.value = full(numbers[index]);
  } catch (e) {
    failed($('change'), e);
  }
}

// opened shows a checkpoint or an input that was dropped or chosen; a refusal is
// said above the grid.
async function opened(file) {
  if (!file) return;
  if (/\.(npy|csv|tsv|txt)$/i.test(file.name)) { setInput(file.name, new Uint8Array(await file.arrayBuffer())); return; }
  status('reading ' + file.name);
  try {
    const about = await engine.call('open', { name: file.name }, new Uint8Array(await file.arrayBuffer()));
    if (about.drawn) {
      S.kind = 'vectors';
      S.labels = S.columns = null;
    }
    S.title = file.name.replace(/\.[^.]*$/, '');
    S.foreign = true;
    S.param = null;
    S.u = 0;
    S.t = about.steps - 1;
    model(about);
    S.lane = S.lanes - 1;
    await renew(about);
    notice(about.drawn
      ? `No input came with ${file.name}, and the one before does not fit: this is the model on ${about.steps} steps of drawn numbers (seed 0). Drop an input [steps, ${S.I}] here (.npy, .csv), or type it under Change.`
      : `${file.name} runs on the input that was here before.`);
    fit();
    openTab('cell');
    status(file.name + ', on this machine only');
  } catch (e) {
    status('');
    notice(`${file.name} is not opened: ${e.message}`, true);
  }
}

// setInput takes another input, of a file or as it was typed.
async function setInput(name, bytes) {
  status('reading ' + name);
  try {
    const about = await engine.call('input', { name }, bytes);
    S.kind = 'vectors';
    S.labels = null;
    S.t = about.steps - 1;
    model(about);
    await renew(about);
    notice('');
    fit();
    status(`${name}: ${about.steps} steps, on this machine only`);
  } catch (e) {
    status('');
    notice(`${name} is not taken: ${e.message}`, true);
  }
}

function wireFiles() {
  const over = on => document.body.classList.toggle('drag', on);
  $('open').onclick = () => $('file').click();
  $('file').onchange = e => { opened(e.target.files[0]); };
  addEventListener('dragover', e => { e.preventDefault(); over(true); });
  addEventListener('dragleave', () => over(false));
  addEventListener('drop', e => { e.preventDefault(); over(false); opened(e.dataTransfer.files[0]); });
}
