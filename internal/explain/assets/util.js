// Small helpers: elements, controls, numbers as text.

const $ = id => document.getElementById(id);
const clamp = (v, low, high) => Math.max(low, Math.min(high, v));
const range = n => [...Array(n).keys()];

function el(tag, props = {}, ...kids) {
  const { aria = {}, data: set = {}, ...rest } = props;
  const e = Object.assign(document.createElement(tag), rest);
  for (const k in aria) e.setAttribute('aria-' + k, aria[k]);
  Object.assign(e.dataset, set);
  e.append(...kids.filter(k => k !== null));
  return e;
}

// Everything that can be operated carries its name as data-control, by which
// the tests find all of them.
const control = (tag, name, props = {}, ...kids) =>
  el(tag, { ...props, data: { ...props.data, control: name } }, ...kids);

const button = (name, text, onclick, props = {}) =>
  control('button', name, { id: name, textContent: text, onclick, ...props });

// link goes to where a number came from.
function link(name, text, go) {
  const a = control('a', name, { textContent: text, tabIndex: 0 });
  a.setAttribute('role', 'button');
  a.onclick = go;
  a.onkeydown = e => {
    if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); go(); }
  };
  return a;
}

// field is a number box; its change hands over a finite number or nothing.
function field(name, props, changed) {
  const box = control('input', name, { id: name, type: 'number', ...props });
  box.onchange = () => { if (box.value !== '' && isFinite(box.value)) changed(+box.value); };
  return box;
}

const text = (tag, content, className = '') => el(tag, { textContent: content, className });
const row = (...kids) => el('div', { className: 'row' }, ...kids);
const hint = content => text('p', content, 'hint');

function table(heads, rows) {
  const t = el('table', {}, el('tr', {}, ...heads.map(h => text('th', h))));
  for (const r of rows) t.append(el('tr', {}, ...r.map(c => el('td', {}, c))));
  return t;
}

// number reads what the engine's JSON gives, where NaN and infinities are text.
function number(v) {
  if (typeof v !== 'string') return +v;
  return { '+Inf': Infinity, '-Inf': -Infinity }[v] ?? NaN;
}

// full is the fewest digits that mean this float32 and no other, written as the
// command writes them (Go's %g): -6.1e-05, 1.5e+06.
function full(v) {
  v = Math.fround(number(v));
  if (v !== v) return 'NaN';
  if (!isFinite(v)) return v > 0 ? '+Inf' : '-Inf';
  if (v === 0) return Object.is(v, -0) ? '-0' : '0';
  let s = '';
  for (let digits = 0; digits < 9; digits++) {
    s = rounded(v, digits);
    if (Math.fround(+s) === v) break;
  }
  const [mantissa, exponent] = s.split('e'), n = +exponent;
  if (n >= -4 && n < 6) return plain(mantissa, n);
  return mantissa + 'e' + (n < 0 ? '-' : '+') + String(Math.abs(n)).padStart(2, '0');
}

// rounded is toExponential, except that what lies in the middle goes to the even
// digit, as in Go, and not up.
function rounded(v, digits) {
  const exact = v.toExponential(60), cut = exact.indexOf('.') + 1 + digits;
  const middle = digits > 0 && /^50*e/.test(exact.slice(cut)), even = '02468'.includes(exact[cut - 1]);
  return middle && even ? exact.slice(0, cut) + exact.slice(exact.indexOf('e')) : v.toExponential(digits);
}

// plain moves the point of d.ddd by n places.
function plain(mantissa, n) {
  const sign = mantissa[0] === '-' ? '-' : '', digits = mantissa.replace(/[-.]/g, '');
  if (n < 0) return sign + '0.' + '0'.repeat(-n - 1) + digits;
  if (digits.length <= n + 1) return sign + digits + '0'.repeat(n + 1 - digits.length);
  return sign + digits.slice(0, n + 1) + '.' + digits.slice(n + 1);
}

// short has four digits after the point, as PyTorch prints tensors.
function short(v) {
  v = number(v);
  const a = Math.abs(v);
  if (!isFinite(v)) return String(v);
  return a && (a < 1e-4 || a >= 1e5) ? v.toExponential(2) : v.toFixed(4);
}

function bytes64(s) {
  s = s.trim();
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(s);
  const raw = atob(s), out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

// braces draws what stands over a name as a line: a brace stretches only where a
// font with a table for mathematics is installed.
function braces(d) {
  for (const mo of d.querySelectorAll('mo')) {
    if (mo.textContent !== '⏟') continue;
    const under = mo.parentElement, base = under.firstElementChild;
    base.classList.add('braced');
    under.replaceWith(base);
  }
}

// reachWide lets keys scroll what is wider than its place.
function reachWide() {
  for (const d of document.querySelectorAll('.math, pre, .scroll')) {
    const wide = d.clientWidth > 0 && d.scrollWidth > d.clientWidth + 1 || d.clientHeight > 0 && d.scrollHeight > d.clientHeight + 1;
    if (!wide || d.querySelector('a, button, input')) { d.removeAttribute('tabindex'); continue; }
    d.tabIndex = 0;
    d.setAttribute('role', 'group');
    d.ariaLabel = d.className.startsWith('math') ? 'a formula, wider than its place' : 'numbers, more than are seen';
    d.dataset.control = 'scroll';
  }
}

function math(tex, small) {
  const d = el('div', { className: small ? 'math small' : 'math' });
  try {
    temml.render(tex, d, { displayMode: true });
    braces(d);
  } catch {
    d.textContent = tex;
  }
  return d;
}
