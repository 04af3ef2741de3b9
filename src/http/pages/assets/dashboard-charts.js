import { duration, hitRate, lookups, number, percent, perSecond, share } from './dashboard-format.js'

/** @typedef {import('../../../platform/metrics/dashboard.js').DashboardData['slots'][number]} Slot */
/** @typedef {import('../../../platform/metrics/summary.js').Summary} Summary */
/**
 * @typedef {object} Line
 * @property {string} name
 * @property {string} color a custom property of the style sheet
 * @property {(slot: Summary) => number | null} value drawn in the chart
 * @property {(slot: Summary) => string} text shown in the legend
 * @property {boolean} [filled]
 */
/**
 * @typedef {object} Chart
 * @property {string} title
 * @property {readonly Line[]} lines in drawing order
 * @property {[number, number]} [range]
 * @property {boolean} [logarithmic]
 * @property {(value: number) => string} axis
 */

const uPlot = /** @type {typeof import('uplot')} */ (/** @type {any} */ (globalThis).uPlot)
const slotSeconds = 10

/** @param {(slot: Summary) => number} count */
const rate = (count) => ({
  value: (/** @type {Summary} */ slot) => count(slot) / slot.seconds,
  text: (/** @type {Summary} */ slot) => perSecond(count(slot), slot.seconds),
})

/** @param {(slot: Summary) => number | null} ms */
const time = (ms) => ({ value: ms, text: (/** @type {Summary} */ slot) => duration(ms(slot)) })

/** @param {number | null} value */
const asPercent = (value) => (value === null ? null : value * 100)

/** @type {readonly Chart[]} */
const charts = [
  {
    title: 'Lookups by store',
    range: [0, 100],
    axis: (value) => `${value} %`,
    // Stacked: each area is drawn over the lower part of the previous one.
    lines: [
      {
        name: 'Misses',
        color: '--miss',
        filled: true,
        value: ({ cache }) => (lookups(cache) === 0 ? null : 100),
        text: ({ cache }) => percent(share(cache.misses, lookups(cache))),
      },
      {
        name: 'Far',
        color: '--far',
        filled: true,
        value: ({ cache }) => asPercent(hitRate(cache)),
        text: ({ cache }) => percent(share(cache.far, lookups(cache))),
      },
      {
        name: 'Near',
        color: '--near',
        filled: true,
        value: ({ cache }) => asPercent(share(cache.near, lookups(cache))),
        text: ({ cache }) => percent(share(cache.near, lookups(cache))),
      },
    ],
  },
  {
    title: 'Requests per second',
    axis: (value) => number(value, 2),
    lines: [
      { name: 'Refused', color: '--warning', ...rate(({ refused }) => refused) },
      { name: 'With errors', color: '--bad', ...rate(({ errors }) => errors) },
      { name: 'All', color: '--near', ...rate(({ requests }) => requests) },
    ],
  },
  {
    title: 'Request latency',
    logarithmic: true,
    axis: (value) => duration(value),
    lines: [
      { name: 'p99', color: '--miss', ...time(({ latencyMs }) => latencyMs.p99) },
      { name: 'p95', color: '--far', ...time(({ latencyMs }) => latencyMs.p95) },
      { name: 'p50', color: '--near', ...time(({ latencyMs }) => latencyMs.p50) },
    ],
  },
  {
    title: 'SQL statements per second',
    axis: (value) => number(value, 2),
    lines: [{ name: 'Statements', color: '--far', filled: true, ...rate(({ statements }) => statements) }],
  },
  {
    title: 'Invalidation lag',
    logarithmic: true,
    axis: (value) => duration(value),
    lines: [
      { name: 'p99', color: '--miss', ...time(({ lagMs }) => lagMs.p99) },
      { name: 'p50', color: '--near', ...time(({ lagMs }) => lagMs.p50) },
    ],
  },
  {
    title: 'Stale hits and cache errors per second',
    axis: (value) => number(value, 2),
    lines: [
      { name: 'Stale', color: '--warning', ...rate(({ cache }) => cache.stale) },
      { name: 'Errors', color: '--bad', ...rate(({ cache }) => cache.errors) },
    ],
  },
]

/**
 * Creates all charts in the element, and returns a function that redraws them. Legends show the latest values as text.
 * @param {HTMLElement} element
 * @returns {(slots: readonly Slot[], latest: Summary, endMs: number, seconds: number) => void}
 */
export function createCharts(element) {
  const all = charts.map((chart) => createChart(element, chart))
  return (...data) => {
    for (const draw of all) draw(...data)
  }
}

/** @param {HTMLElement} element @param {Chart} chart */
function createChart(element, chart) {
  const figure = document.createElement('figure')
  const caption = document.createElement('figcaption')
  const legend = document.createElement('ul')
  const canvas = document.createElement('div')
  caption.textContent = chart.title
  canvas.setAttribute('aria-hidden', 'true')
  figure.append(caption, legend, canvas)
  element.append(figure)
  const texts = chart.lines.map((line) => legendItem(legend, line))
  const plot = new uPlot(options(chart, canvas.clientWidth), [[]], canvas)
  new ResizeObserver(() => plot.setSize({ width: canvas.clientWidth, height })).observe(canvas)
  // The canvas keeps the colors that it was drawn with.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot.redraw(true, true))

  /** @type {ReturnType<typeof createCharts>} */
  return (slots, latest, endMs, seconds) => {
    plot.setData(aligned(chart, slots, endMs, seconds))
    for (const [index, line] of chart.lines.entries()) /** @type {Text} */ (texts[index]).data = line.text(latest)
  }
}

/** @param {HTMLElement} legend @param {Line} line */
function legendItem(legend, { name, color }) {
  const item = document.createElement('li')
  const swatch = document.createElement('span')
  const value = document.createElement('b')
  const text = document.createTextNode('–')
  swatch.className = 'swatch'
  swatch.style.background = `var(${color})`
  value.append(text)
  item.append(swatch, `${name} `, value)
  legend.prepend(item)
  return text
}

/** One column for every slot, with nulls for missing slots. @param {Chart} chart @param {readonly Slot[]} slots @param {number} endMs @param {number} seconds */
function aligned({ lines }, slots, endMs, seconds) {
  const bySecond = new Map(slots.map((slot) => [slot.at / 1000, slot]))
  const end = Math.floor(endMs / 1000 / slotSeconds) * slotSeconds
  const times = Array.from({ length: seconds / slotSeconds }, (_, index) => end - seconds + index * slotSeconds)
  const values = lines.map(({ value }) =>
    times.map((at) => {
      const slot = bySecond.get(at)
      return slot ? value(slot) : null
    }),
  )
  return /** @type {import('uplot').AlignedData} */ ([times, ...values])
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
    cursor: { show: false },
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
        width: line.filled ? 1 : 2,
        points: { size: 4 },
        stroke: () => color(line.color),
        ...(line.filled && { fill: () => color(line.color) }),
      })),
    ],
  }
}

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

const height = 180
