/** @typedef {import('./dashboard-chart-list.js').Chart} Chart */

const uPlot = /** @type {typeof import('uplot')} */ (/** @type {any} */ (globalThis).uPlot)
const height = 180

/** Creates the plot of a chart, which follows the width of its element. @param {HTMLElement} element @param {Chart} chart */
export function createPlot(element, chart) {
  const plot = new uPlot(options(chart, element.clientWidth), [[]], element)
  new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height })).observe(element)
  // The canvas keeps the colors that it was drawn with.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot.redraw(true, true))
  return plot
}

/** @param {Chart} chart @param {number} width @returns {import('uplot').Options} */
function options(chart, width) {
  const axis = {
    stroke: () => color('--quiet'),
    grid: { stroke: () => color('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  }
  return {
    width,
    height,
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      bind: noMouse,
      points: { size: 9, width: 2, stroke: () => color('--ground') },
    },
    padding: [8, 8, 0, 0],
    scales: { x: { time: true }, y: scale(chart) },
    axes: [
      { ...axis, size: 28, values: (_, ticks) => ticks.map(clock) },
      {
        ...axis,
        size: 62,
        ...(chart.logarithmic && { splits: powersOfTen }),
        values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : chart.axis(tick))),
      },
    ],
    series: [
      {},
      ...chart.lines.map((line) => ({
        label: line.name,
        width: line.filled || line.dashed ? 1 : 2,
        points: { size: 4 },
        stroke: () => color(line.color),
        ...(line.dashed && { dash: [3, 3] }),
        ...(line.filled && { fill: () => color(line.color) }),
      })),
    ],
  }
}

/** The charts share one cursor, which dashboard-charts.js moves by pointer and by keyboard. */
const noMouse = Object.fromEntries(
  ['mousedown', 'mouseup', 'click', 'dblclick', 'mousemove', 'mouseleave', 'mouseenter'].map((event) => [event, () => null]),
)

/** @param {Chart} chart @returns {import('uplot').Scale} */
function scale({ range, logarithmic }) {
  if (range) return { range }
  if (logarithmic) return { distr: 3, range: (_, min, max) => decades(min, max) }
  return { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] }
}

/** Returns the smallest range of whole powers of ten that contains the values. @param {number | null} min @param {number | null} max @returns {[number, number]} */
function decades(min, max) {
  if (!min || !max) return [0.1, 100]
  const low = 10 ** Math.floor(Math.log10(min))
  return [low, Math.max(low * 10, 10 ** Math.ceil(Math.log10(max)))]
}

/** @param {unknown} _ @param {unknown} __ @param {number} low @param {number} high */
function powersOfTen(_, __, low, high) {
  const first = Math.round(Math.log10(low))
  return Array.from({ length: Math.round(Math.log10(high)) - first + 1 }, (_, index) => 10 ** (first + index))
}

/** @param {number} seconds */
function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false })
}

/** @param {string} name */
function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name)
}
