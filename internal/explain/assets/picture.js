// A picture of the whole grid: the functions that draw the screen draw it, onto a
// larger canvas or into the text of an SVG.

const caption = 30;

// inWhole lets f draw with all of the grid in view.
function inWhole(f) {
  whole = { w: G.width, h: G.height, left: 0, top: 0 };
  const { hover } = S, was = pen;
  S.hover = null;
  try {
    return f();
  } finally {
    whole = null;
    S.hover = hover;
    pen = was;
  }
}

function paintPicture() {
  pen.fillStyle = css('--card');
  pen.fillRect(0, 0, G.width, G.height + caption);
  paintView();
  const s = +scaleOf(S.what).toPrecision(3), what = S.what === 'd' ? 'change of h' : S.what;
  write(`${$('model').textContent}; ${what} from −${s} (blue) to +${s} (orange)${S.edits ? '; edited' : ''}`, 12, G.height + 18, css('--soft'), '12px system-ui,sans-serif');
}

// pngPicture draws twice as fine as the screen where a browser's canvas allows.
async function pngPicture() {
  await allNumbers();
  const h = G.height + caption, r = Math.min(2, 16384 / G.width, 16384 / h, Math.sqrt(6e7 / (G.width * h)));
  if (r < .5) throw new Error(`The grid is ${Math.round(G.width)} pixels wide, too much for one picture: zoom out, or take the SVG`);
  const canvas = el('canvas', { width: Math.round(G.width * r), height: Math.round(h * r) });
  inWhole(() => {
    pen = canvas.getContext('2d');
    pen.setTransform(r, 0, 0, r, 0, 0);
    paintPicture();
  });
  return new Promise(done => canvas.toBlob(done, 'image/png'));
}

async function svgPicture() {
  await allNumbers();
  if (S.steps * S.lanes * G.row > 4e6) throw new Error('The grid is too long for one drawing: explain fewer steps');
  const svg = new SvgPen();
  inWhole(() => { pen = svg; paintPicture(); });
  return new Blob([svg.text(G.width, G.height + caption)], { type: 'image/svg+xml' });
}

// SvgPen has what of a canvas's pen the grid uses, and writes elements.
class SvgPen {
  parts = [];
  points = [];
  fillStyle = '#000';
  strokeStyle = '#000';
  lineWidth = 1;
  globalAlpha = 1;
  font = '12px sans-serif';
  textAlign = 'left';
  dash = [];

  number(v) { return String(+v.toFixed(2)); }
  alpha() { return this.globalAlpha < 1 ? ` opacity="${this.globalAlpha}"` : ''; }
  stroked() { return ` fill="none" stroke="${this.strokeStyle}" stroke-width="${this.lineWidth}"${this.dash.length ? ` stroke-dasharray="${this.dash.join(' ')}"` : ''}${this.alpha()}`; }
  box(x, y, w, h) { return `<rect x="${this.number(x)}" y="${this.number(y)}" width="${this.number(Math.max(0, w))}" height="${this.number(Math.max(0, h))}"`; }
  line() { return this.points.map(([x, y], k) => (k ? 'L' : 'M') + this.number(x) + ' ' + this.number(y)).join(''); }

  setLineDash(d) { this.dash = d; }
  beginPath() { this.points = []; }
  moveTo(x, y) { this.points.push([x, y]); }
  lineTo(x, y) { this.points.push([x, y]); }
  fillRect(x, y, w, h) { this.parts.push(`${this.box(x, y, w, h)} fill="${this.fillStyle}"${this.alpha()}/>`); }
  strokeRect(x, y, w, h) { this.parts.push(`${this.box(x, y, w, h)}${this.stroked()}/>`); }
  stroke() { this.parts.push(`<path d="${this.line()}"${this.stroked()}/>`); }
  fill() { this.parts.push(`<path d="${this.line()}Z" fill="${this.fillStyle}"${this.alpha()}/>`); }
  fillText(s, x, y) {
    const anchor = { center: ' text-anchor="middle"', right: ' text-anchor="end"' }[this.textAlign] || '';
    const [, weight, size, family] = /^(?:(\d+) )?([\d.]+px) (.*)$/.exec(this.font);
    const clean = String(s).replace(/[&<>"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
    this.parts.push(`<text x="${this.number(x)}" y="${this.number(y)}" fill="${this.fillStyle}" font-size="${size}" font-family="${family}"${weight ? ` font-weight="${weight}"` : ''}${anchor}${this.alpha()}>${clean}</text>`);
  }
  text(w, h) {
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.round(w)}" height="${Math.round(h)}" viewBox="0 0 ${this.number(w)} ${this.number(h)}">\n${this.parts.join('\n')}\n</svg>\n`;
  }
}
