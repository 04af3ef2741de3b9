import { charts } from './dashboard-chart-list.js'
import { element } from './dashboard-dom.js'
import { createPlot } from './dashboard-plot.js'

/** @typedef {import('../../../platform/metrics/dashboard.js').DashboardData['slots'][number]} Slot */
/** @typedef {import('../../../platform/metrics/summary.js').Summary} Summary */
/** @typedef {import('./dashboard-chart-list.js').Chart} Chart */
/** @typedef {import('./dashboard-chart-list.js').Line} Line */
/** A time that the user selected, in seconds, and what was counted from then on @typedef {{ at: number, index: number, slot: Slot | undefined }} Selection */

const slotSeconds = 10
const slotsPerMinute = 60 / slotSeconds

/**
 * Creates all charts in the element, and returns a function that redraws them. The legends show the latest values, or those of the
 * time selected in one of the charts, by pointer or by the arrow keys.
 * @param {HTMLElement} element
 * @returns {(slots: readonly Slot[], latest: Summary, endMs: number, seconds: number) => void}
 */
export function createCharts(element) {
  /** @type {number[]} */
  let times = []
  /** @type {Map<number, Slot>} */
  let slots = new Map()
  /** @type {Summary | undefined} */
  let latest
  /** @type {{ at: number, chart: ReturnType<typeof createChart> } | undefined} */
  let selected

  /** @returns {Selection | undefined} */
  const selection = () => {
    const index = selected ? times.indexOf(selected.at) : -1
    return selected && index >= 0 ? { at: selected.at, index, slot: slots.get(selected.at) } : undefined
  }
  const mark = () => {
    const current = selection()
    if (latest) for (const chart of all) chart.mark(current, selected?.chart === chart, latest)
  }
  /** @param {ReturnType<typeof createChart>} chart @param {number} index */
  const select = (chart, index) => {
    selected = { at: /** @type {number} */ (times[Math.min(Math.max(index, 0), times.length - 1)]), chart }
    mark()
  }
  const clear = () => {
    selected = undefined
    mark()
  }

  const all = charts.map((definition) => createChart(element, definition))
  for (const chart of all) {
    const { slider } = chart
    const lastIndex = () => times.findLastIndex((at) => slots.has(at))
    /** @param {PointerEvent} event */
    const point = (event) => select(chart, chart.indexAt(event.clientX))
    slider.addEventListener('pointermove', point)
    slider.addEventListener('pointerdown', point)
    // After a touch, the values stay until another element gets the focus.
    slider.addEventListener('pointerleave', () => document.activeElement !== slider && clear())
    slider.addEventListener('focus', () => selected?.chart !== chart && select(chart, lastIndex()))
    slider.addEventListener('blur', clear)
    slider.addEventListener('keydown', (event) => {
      const index = selection()?.index ?? lastIndex()
      const moves = {
        ArrowLeft: index - 1,
        ArrowDown: index - 1,
        ArrowRight: index + 1,
        ArrowUp: index + 1,
        PageDown: index - slotsPerMinute,
        PageUp: index + slotsPerMinute,
        Home: times.findIndex((at) => slots.has(at)),
        End: lastIndex(),
      }
      if (event.key === 'Escape') clear()
      else if (event.key in moves) {
        event.preventDefault()
        select(chart, moves[/** @type {keyof typeof moves} */ (event.key)])
      }
    })
  }

  return (newSlots, newLatest, endMs, seconds) => {
    latest = newLatest
    slots = new Map(newSlots.map((slot) => [slot.at / 1000, slot]))
    const end = Math.floor(endMs / 1000 / slotSeconds) * slotSeconds
    times = Array.from({ length: seconds / slotSeconds }, (_, index) => end - seconds + index * slotSeconds)
    for (const chart of all) chart.draw(times, slots)
    mark()
  }
}

/** @param {HTMLElement} element @param {Chart} chart */
function createChart(element, chart) {
  const figure = append(element, 'figure')
  const caption = append(figure, 'figcaption')
  append(caption, 'span').textContent = chart.title
  const time = append(caption, 'span', 'time')
  const legend = append(figure, 'ul')
  // A slider, because it selects a time by the arrow keys, and screen readers announce its values.
  const slider = append(figure, 'div', 'plot')
  for (const [name, value] of Object.entries({ role: 'slider', tabindex: '0', 'aria-label': `${chart.title}: values over time` }))
    slider.setAttribute(name, value)
  const empty = append(slider, 'p', 'empty quiet')
  empty.textContent = 'The first values appear after 10 seconds.'
  const tip = append(figure, 'div', 'tip')
  tip.hidden = true
  tip.setAttribute('aria-hidden', 'true')
  const plot = createPlot(slider, chart)
  const legendTexts = chart.lines.map((line) => legendItem(legend, line))

  /** @param {Selection} selection */
  const showTip = ({ at, index, slot }) => {
    const list = document.createElement('ul')
    for (const line of chart.lines) legendItem(list, line).data = slot ? line.text(slot) : '–'
    const heading = document.createElement('p')
    heading.textContent = rangeOf(at)
    tip.replaceChildren(heading, list)
    const left = plot.over.offsetLeft + plot.valToPos(at, 'x')
    const isRight = index > plot.data[0].length / 2
    tip.style.left = isRight ? 'auto' : `${slider.offsetLeft + left + tipDistance}px`
    tip.style.right = isRight ? `${figure.clientWidth - slider.offsetLeft - left + tipDistance}px` : 'auto'
    tip.style.top = `${slider.offsetTop + tipDistance}px`
  }

  return {
    slider,
    /** The index of the slot under the pointer @param {number} clientX */
    indexAt: (clientX) => plot.posToIdx(clientX - plot.over.getBoundingClientRect().left),
    /** Draws one column for every time, with nulls for missing slots. @param {number[]} times @param {Map<number, Slot>} slots */
    draw(times, slots) {
      const values = chart.lines.map(({ value }) =>
        times.map((at) => {
          const slot = slots.get(at)
          return slot ? value(slot) : null
        }),
      )
      plot.setData(/** @type {import('uplot').AlignedData} */ ([times, ...values]))
      empty.hidden = times.some((at) => slots.has(at))
    },
    /** Shows the values of the selection, or the latest ones without a selection. @param {Selection | undefined} selection @param {boolean} isActive whether the selection was made in this chart @param {Summary} latest */
    mark(selection, isActive, latest) {
      const shown = selection ? selection.slot : latest
      const texts = chart.lines.map((line) => (shown ? line.text(shown) : '–'))
      for (const [index, text] of texts.entries()) /** @type {Text} */ (legendTexts[index]).data = text
      time.textContent = selection ? clock(selection.at) : ''
      plot.setCursor(selection ? { left: plot.valToPos(selection.at, 'x'), top: 0 } : { left: -10, top: -10 }, false)
      tip.hidden = !selection || !isActive
      if (selection && isActive) showTip(selection)
      const spoken = chart.lines.map(({ name }, index) => `${name} ${texts[index]}`).reverse()
      slider.setAttribute('aria-valuemin', '0')
      slider.setAttribute('aria-valuemax', String(plot.data[0].length - 1))
      slider.setAttribute('aria-valuenow', String(selection?.index ?? plot.data[0].length - 1))
      slider.setAttribute('aria-valuetext', `${selection ? rangeOf(selection.at) : 'The last 10 seconds'}: ${spoken.join(', ')}`)
    },
  }
}

/** Adds a line of a legend, and returns the text node of its value. @param {HTMLElement} legend @param {Line} line */
function legendItem(legend, { name, color }) {
  const item = document.createElement('li')
  const swatch = append(item, 'span', 'swatch')
  swatch.style.background = `var(${color})`
  item.append(`${name} `)
  const text = document.createTextNode('–')
  append(item, 'b').append(text)
  legend.prepend(item)
  return text
}

/** @param {HTMLElement} parent @param {string} name @param {string} [className] */
function append(parent, name, className = '') {
  const created = element(name, '', className)
  parent.append(created)
  return created
}

/** @param {number} at in seconds */
function rangeOf(at) {
  return `${clock(at)} to ${clock(at + slotSeconds)}`
}

/** @param {number} seconds */
function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour12: false })
}

const tipDistance = 10
