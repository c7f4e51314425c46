// Colours. Blue below zero and orange above: told apart by every common colour
// blindness, and by lightness alone the distance from zero.

const dark = () => document.documentElement.classList.contains('dark');
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const stops = {
  light: [[28, 78, 150], [106, 158, 212], [246, 245, 242], [236, 163, 92], [168, 80, 8]],
  dark: [[132, 186, 255], [58, 104, 168], [34, 38, 45], [158, 92, 34], [255, 180, 105]],
};

function mix(stop, x) { // x from 0 to 4
  const i = Math.min(3, x | 0), f = x - i;
  return [0, 1, 2].map(k => Math.round(stop[i][k] + (stop[i + 1][k] - stop[i][k]) * f));
}

const luminance = c => c.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((sum, v, k) => sum + v * [.2126, .7152, .0722][k], 0);

// 257 colours and the ink that is readable on each, so that drawing looks them up.
const scales = Object.fromEntries(Object.entries(stops).map(([name, stop]) => {
  const colours = range(257).map(k => mix(stop, k / 64));
  return [name, {
    fill: colours.map(([r, g, b]) => `rgb(${r},${g},${b})`),
    // Of black and white the one with more contrast has 4.58 at least (WCAG 2.2).
    ink: colours.map(c => luminance(c) > .1791 ? '#000' : '#fff'),
  }];
}));

const shadeOf = v => v === v ? Math.round((clamp(v, -1, 1) + 1) * 128) : -1;
const colour = v => scales[dark() ? 'dark' : 'light'].fill[shadeOf(v)] || '#888';

// theme chooses light or dark; print is always light.
function theme(isDark) {
  document.documentElement.classList.toggle('dark', isDark);
  const p = $('scale').getContext('2d');
  for (let i = 0; i < 160; i++) {
    p.fillStyle = colour(i / 79.5 - 1);
    p.fillRect(i, 0, 1, 10);
  }
  drawBoxes();
  draw();
}
