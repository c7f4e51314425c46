// The way to the engine: a worker made of the page's own text, so that nothing
// is loaded from anywhere.

const engine = { waiting: new Map(), last: 0, up: false };

// loaded is kept once the worker holds the model; questions wait for it.
engine.loaded = new Promise((done, fail) => Object.assign(engine, { done, fail }));
engine.loaded.catch(() => {});

// call asks one question; the answer is the engine's value, with its numbers as
// bin.
engine.call = async (cmd, args, bin) => {
  await engine.loaded;
  return engine.ask(cmd, args, bin);
};

engine.ask = (cmd, args = {}, bin = null) => new Promise((done, fail) => {
  const id = ++engine.last;
  engine.waiting.set(id, { done, fail });
  engine.worker.postMessage({ id, cmd, args: JSON.stringify(args), bin });
});

// What the worker runs beside Go's own loader.
const workerText = `
self.onmessage = async e => {
  if (!e.data.wasm) return self.engine(e.data.id, e.data.cmd, e.data.args, e.data.bin);
  try {
    const packed = new Blob([e.data.wasm]).stream();
    const wasm = await new Response(packed.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
    const go = new Go();
    self.ready = () => postMessage({ up: true });
    self.progress = (share, opening, layer, step) => postMessage({ progress: share, opening, layer, step });
    self.answer = (id, text, bin, err) => postMessage({ id, text, bin, err }, bin ? [bin.buffer] : []);
    go.run((await WebAssembly.instantiate(wasm, go.importObject)).instance);
  } catch (err) { postMessage({ down: String(err) }); }
};`;

engine.start = () => new Promise((done, fail) => {
  const source = new Blob([$('loader').textContent, workerText], { type: 'text/javascript' });
  engine.worker = new Worker(URL.createObjectURL(source));
  engine.worker.onerror = e => {
    e.preventDefault();
    fail(new Error(e.message || 'the worker did not start'));
  };
  engine.worker.onmessage = ({ data: m }) => {
    if (m.up) { engine.up = true; done(); return; }
    if (m.down) { fail(new Error(m.down)); return; }
    if (m.progress !== undefined) { progress(m); return; }
    receive(m);
  };
  const wasm = bytes64($('engine').textContent);
  engine.worker.postMessage({ wasm }, [wasm.buffer]);
});

// progress says how far the engine is and, where a number is to be opened, with what.
function progress({ progress: done, opening, layer, step }) {
  const share = Math.round(100 * done);
  $('status').textContent = `computing ${share} %`;
  if (!opening || !$('waiting')) return;
  const why = S.edits ? 'After a change the steps up to here are computed anew' : 'Computing the steps that lead to it';
  $('waiting').textContent = `${why}: ${share} %, now layer ${layer + 1}, step ${step}. The grid and all else can be used meanwhile.`;
}

function receive(m) {
  const { done, fail } = engine.waiting.get(m.id);
  engine.waiting.delete(m.id);
  if (!engine.waiting.size && $('status').textContent.endsWith('%')) status(/^(computing)?$/.test(said) ? 'computed here' : said);
  if (m.err) fail(new Error(m.err));
  else done({ ...(m.text ? JSON.parse(m.text) : {}), bin: m.bin && m.bin.length % 4 === 0 ? new Float32Array(m.bin.buffer) : null, bytes: m.bin });
}

// said is what the head of the page says; a share of what is computed stands there
// only meanwhile.
let said = '';
const status = content => { $('status').textContent = said = content; };
