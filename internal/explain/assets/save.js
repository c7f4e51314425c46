// Taking something away: the grid as a picture, the run and the model as files that
// other programs read, and a link to the place.

// fileName is the page's title with an ending.
const fileName = ending => (S.title || 'unroll').replace(/[^\w.-]+/g, '-') + (S.edits ? '-edited' : '') + ending;

// offer hands a file to the browser's download.
function offer(blob, name) {
  const a = el('a', { href: URL.createObjectURL(blob), download: name });
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(a.href), 60000);
  status(`${name}, ${sizeOf(blob.size)}`);
}

const sizeOf = n => n < 1e6 ? `${Math.max(1, Math.round(n / 1e3))} kB` : `${(n / 1e6).toFixed(1)} MB`;

// saving makes a file and says what prevented it.
const saving = (ending, make) => async () => {
  status('writing');
  try {
    offer(await make(), fileName(ending));
  } catch (e) {
    status('');
    notice(e.message, true);
  }
};

const exported = (what, type) => async () => new Blob([(await engine.call('export', { what })).bytes], { type });

async function copyLink() {
  keepPlace();
  try {
    await navigator.clipboard.writeText(location.href);
    status('the link is copied');
  } catch {
    status('the link is in the address bar');
  }
}

function saveTab() {
  const one = (name, words, ending, make, about) => [row(button(name, words, saving(ending, make))), hint(about)];
  $('save').replaceChildren(
    text('h2', 'Save'),
    text('h3', 'the grid'),
    ...one('savepng', 'Picture (PNG)', '.png', pngPicture, 'All steps and layers at this zoom, in the colours of the screen.'),
    ...one('savesvg', 'Drawing (SVG)', '.svg', svgPicture, 'The same as lines and letters, for print and slides.'),
    text('h3', 'the numbers'),
    ...one('savecsv', 'Numbers (CSV)', '.csv', exported('numbers', 'text/csv'), 'x, h and c of every layer and step, one number a row, to the last digit.'),
    ...one('saveinput', 'Input (safetensors)', '-input.safetensors', exported('input', 'application/octet-stream'), 'input, hx and cx, as unroll run reads them.'),
    text('h3', 'the model'),
    ...one('savemodel', 'Model (safetensors)', '.safetensors', exported('model', 'application/octet-stream'), S.edits ? 'The parameters as they are now, under PyTorch’s names.' : 'The parameters under PyTorch’s names; nothing is changed yet.'),
    text('h3', 'the place'),
    row(button('savelink', 'Copy link', copyLink)), hint('The address keeps the layer, step, unit and what is shown.'));
}
