import { AccessError, authorization, createAccess } from './dashboard-access.js'
import { createActions } from './dashboard-actions.js'
import { createCharts } from './dashboard-charts.js'
import { setText } from './dashboard-dom.js'
import { createEntries } from './dashboard-entries.js'
import { createErrors } from './dashboard-errors.js'
import { createHotKeys } from './dashboard-hot-keys.js'
import { createNamespaces } from './dashboard-namespaces.js'
import { createOperations } from './dashboard-operations.js'
import { scopeOf, showTiles, stateOf } from './dashboard-tiles.js'

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
const showOperations = createOperations(find)
const errors = createErrors(find)
const showNamespaces = createNamespaces(/** @type {HTMLTableElement} */ (find('#namespaces')), actions.flush)
const entries = createEntries(find)
const showHotKeys = createHotKeys(find, entries.lookUp)
const access = createAccess(find, () => void update())
find('#warm-up').addEventListener('click', actions.warmUp)
find('.range').addEventListener('change', () => show())

/** @type {Map<number, Data['slots'][number]>} */
const slots = new Map()
/** @type {Data | undefined} */
let latestData

/** Fetches new data and shows it. After a failure, the page shows the error and keeps the old data. */
async function update() {
  try {
    store(await fetchData())
    access.granted()
    find('#error').hidden = true
    find('#data').hidden = false
    show()
  } catch (error) {
    if (error instanceof AccessError) return askForToken(error.message)
    showProblem(
      error instanceof ResponseError
        ? error.message
        : `The server does not answer. Retrying every 2 seconds${latestData ? '; the values below are outdated' : ''}.`,
    )
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
  if (response.ok) return response.json()
  const { errors } = await response.json().catch(() => ({}))
  const message = errors?.[0]?.message
  if (response.status === 401) throw new AccessError(`The server refused this token: ${message}.`)
  if (response.status === 403) throw new AccessError("This is a customer's token. The metrics need an administrator's.")
  throw new ResponseError(
    `The server returned HTTP ${response.status}${message ? `: ${message}` : ''}. Retrying every 2 seconds.`,
  )
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
  const { latest, now, operations, hotKeys, logged } = latestData
  showState(stateOf(latestData, { failed: errors.count(latest, 'failed'), refused: errors.count(latest, 'refused') }))
  find('#scope').textContent = scopeOf(latestData)
  showTiles(find('#tiles'), latest)
  const seconds = Number(/** @type {HTMLInputElement} */ (find('[name=range]:checked')).value)
  const all = [...slots.values()]
  drawCharts(all, latest, now, seconds)
  showOperations(operations)
  errors.show(
    latest,
    all.filter(({ at }) => at >= now - seconds * 1000),
    logged,
  )
  showNamespaces(latest, all)
  showHotKeys(hotKeys)
  entries.showNamespaces(Object.keys(latest.namespaces))
}

/** Hides the data of the previous token. @param {string} reason */
function askForToken(reason) {
  slots.clear()
  latestData = undefined
  find('#data').hidden = true
  showHotKeys({ seconds: 0, reads: 0, hotKeys: [] })
  entries.clear()
  find('#error').hidden = true
  find('#scope').textContent = ''
  showState({ className: 'state', text: 'For administrators only' })
  access.ask(reason)
}

/** @param {string} text */
function showProblem(text) {
  const error = find('#error')
  setText(error, text)
  error.hidden = false
  if (!latestData) showState({ className: 'state degraded', text: 'No data' })
}

/** @param {{ className: string, text: string }} state */
function showState({ className, text }) {
  const state = find('#state')
  state.className = className
  setText(state, text)
}

/** Polls only while the page is visible, and the server has not refused the metrics. */
async function run() {
  if (!document.hidden && !access.isAsking) await update()
  setTimeout(() => void run(), pollIntervalMs)
}
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && !access.isAsking) void update()
})
void run()
