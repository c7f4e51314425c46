// Lines over steps, by uPlot, with a legend of our own: uPlot's can be clicked
// but not reached with keys.

const dashes = [undefined, [7, 4], [2, 3], [10, 3, 2, 3], [4, 2]];

function chart(box, xs, lines, log = false) {
  const colours = ['accent', 'hn', 'out', 'fg', 'soft'].map(k => css('--' + k));
  const axis = { stroke: css('--soft'), grid: { stroke: css('--line'), width: 1 }, ticks: { show: false }, font: `${11 * size()}px system-ui`, size: 50 * size() };
  const figure = el('div', { role: 'img', ariaLabel: lines.map(describeLine).join('; ') });
  box.replaceChildren(figure);
  new uPlot({
    width: Math.max(240, box.clientWidth || 400), height: 170 * size(),
    legend: { show: false }, cursor: { show: false },
    scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
    axes: [{ ...axis, size: 26 * size(), incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6] }, axis], // steps are whole
    series: [{}, ...lines.map(([label], k) => ({
      label, stroke: colours[k % 5], width: 1.7, dash: dashes[k % 5], points: { show: xs.length < 40, size: 4 },
    }))],
  }, [xs, ...lines.map(([, ys]) => ys)], figure);
  const keys = lines.map(([label], k) => {
    const key = text('span', label, 'key line');
    key.style.color = colours[k % 5];
    return key;
  });
  box.append(el('p', { className: 'hint' }, ...keys));
}

function describeLine([label, ys]) {
  const v = ys.filter(y => y !== null && isFinite(y));
  return v.length ? `${label} from ${short(Math.min(...v))} to ${short(Math.max(...v))}` : label;
}
