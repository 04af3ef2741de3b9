import { authorization, createAccess, createActions } from './dashboard-admin.js'
import { createCharts } from './dashboard-charts.js'
import { createTable, scopeOf, showTiles, stateOf } from './dashboard-text.js'

/** @typedef {import('../../../platform/metrics/dashboard.js').DashboardData} Data */

const pauseMs = 2_000
const patienceMs = 5_000
const hourMs = 3_600_000
/** Processes may deliver the latest slots late. */
const askedAgainMs = 30_000

/** @type {(selector: string) => HTMLElement} */
const find = (selector) => /** @type {HTMLElement} */ (document.querySelector(selector))

const actions = createActions(find, (text) => {
  find('#done').textContent = text
})
const drawCharts = createCharts(find('#charts'))
const body = /** @type {HTMLTableSectionElement} */ (find('#table tbody'))
const showTable = createTable(body, actions.flush)
find('#warm-up').addEventListener('click', actions.warmUp)
find('.range').addEventListener('change', () => show())
createAccess(find, () => void update())

/** @type {Map<number, Data['slots'][number]>} */
const slots = new Map()
/** @type {Data | undefined} */
let last

/** Asks for what is new, and shows it; what fails is shown too, and does not take away what is known. */
async function update() {
  try {
    keep(await ask())
    find('#fault').hidden = true
    show()
  } catch (error) {
    find('#fault').textContent =
      error instanceof Refused
        ? error.message
        : 'The server does not answer; trying again every 2 seconds. What you see is from before.'
    find('#fault').hidden = false
  }
}

/** @returns {Promise<Data>} */
async function ask() {
  // While only one process could answer, it said nothing of the others.
  const newest = last?.of === 'all' ? Math.max(0, ...slots.keys()) : 0
  const response = await fetch(`/dashboard/figures?after=${Math.max(0, newest - askedAgainMs)}`, {
    headers: { accept: 'application/json', ...authorization() },
    signal: AbortSignal.timeout(patienceMs),
  })
  if (response.status === 401 || response.status === 403)
    throw new Refused('Only administrators may see this: paste a token at the end of the page.')
  if (!response.ok)
    throw new Refused(`The server answers with HTTP ${response.status}; its log says why. Trying again every 2 seconds.`)
  return response.json()
}

class Refused extends Error {}

/** @param {Data} data */
function keep(data) {
  for (const slot of data.slots) slots.set(slot.at, slot)
  for (const at of slots.keys()) if (at < data.now - hourMs) slots.delete(at)
  last = data
}

function show() {
  if (!last) return
  const { className, text } = stateOf(last)
  const state = find('#state')
  state.className = className
  // Said again by screen readers only when it is another one
  if (state.textContent !== text) state.textContent = text
  find('#scope').textContent = scopeOf(last)
  showTiles(find('#tiles'), last.latest)
  const seconds = Number(/** @type {HTMLInputElement} */ (find('[name=range]:checked')).value)
  const all = [...slots.values()]
  drawCharts(all, last.latest, last.now, seconds)
  showTable(last.latest, all)
}

/** Nobody asks for a page that nobody sees. */
async function run() {
  if (!document.hidden) await update()
  setTimeout(() => void run(), pauseMs)
}
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void update()
})
void run()
