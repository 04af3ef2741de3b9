import { authorization, createActions, createTokenForm } from './dashboard-admin.js'
import { createCharts } from './dashboard-charts.js'
import { createTable, scopeOf, showTiles, stateOf } from './dashboard-text.js'

/** @typedef {import('../../../platform/metrics/dashboard.js').DashboardData} Data */

const pollIntervalMs = 2_000
const timeoutMs = 5_000
const hourMs = 3_600_000
/** Slots this recent are requested again, because processes may write their counts late. */
const overlapMs = 30_000

/** @type {(selector: string) => HTMLElement} */
const find = (selector) => /** @type {HTMLElement} */ (document.querySelector(selector))

const actions = createActions(find, (text) => {
  find('#result').textContent = text
})
const drawCharts = createCharts(find('#charts'))
const body = /** @type {HTMLTableSectionElement} */ (find('#table tbody'))
const showTable = createTable(body, actions.flush)
find('#warm-up').addEventListener('click', actions.warmUp)
find('.range').addEventListener('change', () => show())
createTokenForm(find, () => void update())

/** @type {Map<number, Data['slots'][number]>} */
const slots = new Map()
/** @type {Data | undefined} */
let latestData

/** Fetches new data and shows it. After a failure, the page shows the error and keeps the old data. */
async function update() {
  try {
    store(await fetchData())
    find('#error').hidden = true
    show()
  } catch (error) {
    find('#error').textContent =
      error instanceof ResponseError
        ? error.message
        : 'The server does not answer. Retrying every 2 seconds; the values below are outdated.'
    find('#error').hidden = false
  }
}

/** @returns {Promise<Data>} */
async function fetchData() {
  // If the last data came from one process only, the slots are incomplete: fetch all of them again.
  const newest = latestData?.scope === 'all' ? Math.max(0, ...slots.keys()) : 0
  const response = await fetch(`/dashboard/metrics?after=${Math.max(0, newest - overlapMs)}`, {
    headers: { accept: 'application/json', ...authorization() },
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (response.status === 401 || response.status === 403)
    throw new ResponseError('Administrators only: paste a token at the end of the page.')
  if (!response.ok)
    throw new ResponseError(`The server returned HTTP ${response.status}: see the server's log. Retrying every 2 seconds.`)
  return response.json()
}

class ResponseError extends Error {}

/** @param {Data} data */
function store(data) {
  for (const slot of data.slots) slots.set(slot.at, slot)
  for (const at of slots.keys()) if (at < data.now - hourMs) slots.delete(at)
  latestData = data
}

function show() {
  if (!latestData) return
  const { className, text } = stateOf(latestData)
  const state = find('#state')
  state.className = className
  // Screen readers announce every assignment, so assign changes only.
  if (state.textContent !== text) state.textContent = text
  find('#scope').textContent = scopeOf(latestData)
  showTiles(find('#tiles'), latestData.latest)
  const seconds = Number(/** @type {HTMLInputElement} */ (find('[name=range]:checked')).value)
  const all = [...slots.values()]
  drawCharts(all, latestData.latest, latestData.now, seconds)
  showTable(latestData.latest, all)
}

/** Polls only while the page is visible. */
async function run() {
  if (!document.hidden) await update()
  setTimeout(() => void run(), pollIntervalMs)
}
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void update()
})
void run()
