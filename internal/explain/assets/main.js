// Putting it together.

// describe says in words and shapes what is on the page.
function describe() {
  const c = S.cfg, words = [`${c.mode} ${c.input_size} → ${c.hidden_size}${c.proj_size ? ' → ' + c.proj_size : ''}`];
  words.push(S.L === 1 ? '1 layer' : S.L + ' layers');
  if (S.D === 2) words.push('both directions');
  words.push(S.steps === 1 ? '1 step' : S.steps + ' steps');
  $('model').textContent = (S.title ? S.title + ': ' : '') + (parts.length > 1 ? parts[S.part].name + ': ' : '') + words.join(', ');
  document.title = 'unroll: ' + $('model').textContent;
  $('shapes').textContent = `h_n [${letters.lanes()}, ${letters.state()}] = [${S.lanes}, ${S.size}]`;
  const sampled = Math.max(S.size, S.H, S.kind === 'notes' ? 0 : S.I) > most;
  $('pick').hidden = !sampled;
  $('sampled').textContent = sampled ? `${Math.min(most, S.size)} of ${S.size} units drawn` : '';
}

// choices fills a group of radio buttons, which mouse and keys reach alike.
function choices(box, name, options, chosen, pick) {
  box.replaceChildren(...options.map(([value, title]) => {
    const input = control('input', name, { type: 'radio', name, value, id: `${name}-${value}`, checked: value === chosen });
    input.onchange = () => pick(value);
    return el('label', { title }, input, el('span', { textContent: { d: 'change' }[value] || value }));
  }));
}

// showChoices offers what the cells of this model can show.
function showChoices() {
  const titles = { h: 'the hidden state', c: 'the cell state', d: 'the change from the kept run' };
  const list = ['h', ...(S.hasCell ? ['c'] : []), ...S.gates, ...(S.kept ? ['d'] : [])];
  if (!list.includes(S.what)) S.what = 'h';
  choices($('what'), 'what', list.map(w => [w, titles[w] || 'gate ' + w]), S.what, w => { S.what = w; relayout(); say(); keepPlace(); });
  $('what').parentElement.hidden = list.length < 2;
  choices($('units'), 'units', [['even', 'evenly chosen units'], ['first', `the first ${most} units`]], S.choice, v => {
    S.choice = v;
    forget();
    relayout();
    say();
  });
}

function relayout() {
  layout();
  draw();
}

// printed: on paper the grid is as high as it needs, and light.
function wirePrinting() {
  let wasDark = false;
  addEventListener('beforeprint', () => {
    wasDark = dark();
    theme(false);
    printing = true;
    zoom(Math.min(S.cell, (640 - G.gutter - G.right) / (S.steps + 1)));
    $('grid').style.height = G.height * size() + 'px';
    paint();
    $('panel').style.zoom = clamp(900 / $('panel').scrollHeight, .35, 1); // one cell on one page
  });
  addEventListener('afterprint', () => {
    printing = false;
    $('grid').style.height = $('panel').style.zoom = '';
    theme(wasDark);
    fit();
  });
}

async function begin() {
  try {
    await engine.start();
    await loadPart(0);
    engine.done();
    status('the engine is ready');
  } catch (e) {
    engine.fail(e);
    status(`The engine could not start (${e.message}); the grid shows the recorded run, without opening or changing it.`);
  }
  document.body.dataset.ready = '1';
}

const scheme = matchMedia('(prefers-color-scheme: dark)');
scheme.onchange = e => theme(e.matches);
addEventListener('resize', relayout);
new MutationObserver(() => requestAnimationFrame(reachWide)).observe($('panel'), { childList: true, subtree: true, attributes: true, attributeFilter: ['hidden'] });
addEventListener('resize', reachWide);
addEventListener('hashchange', () => {
  const tab = toPlace();
  showChoices();
  relayout();
  show(S.t, S.lane);
  say();
  openTab(tabs[tab] ? tab : 'cell');
});
$('theme').onclick = () => {
  theme(!dark());
  if ($('follow').firstChild) follow();
};
$('zoom').oninput = e => zoom(3 * Math.pow(116 / 3, e.target.value / 100));
S.h0 = S.own.h0;
looks.set(S.at, look());
wirePlaying();
wireTabs();
wireGrid();
wireKeys();
wireFiles();
wirePrinting();
wireHistory();
layout();
theme(scheme.matches);
showChoices();
describe();
fit();
show(S.t, S.lane);
say();
openTab(tabs[firstTab] ? firstTab : 'cell');
setTimeout(begin, 30); // after the first picture
window.unroll = { S, engine, go, full, laneY, X, scales }; // for the browser's console
