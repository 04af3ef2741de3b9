import { average, duration, number, percent, periodOf, perSecond, share } from './dashboard-format.js'
import { createTable } from './dashboard-table.js'

/** @typedef {import('../../../platform/metrics/dashboard.js').DashboardData['operations']} Operations */
/** @typedef {Operations['operations'][number]} Operation */

const firstRows = 8

/** Labels that are not names of operations @type {Readonly<Record<string, string>>} */
const labels = {
  anonymous: '(without a name)',
  other: '(all other names)',
  unknown: '(malformed or invalid)',
}

/** @type {readonly { title: string, hint?: string, sortBy?: (operation: Operation) => number }[]} */
const columns = [
  { title: 'Operation' },
  { title: 'Requests', sortBy: ({ requests }) => requests },
  { title: 'Per second' },
  { title: 'p50' },
  { title: 'p99', hint: 'The maximum, if there were fewer than 100 requests', sortBy: ({ latencyMs }) => slowness(latencyMs) },
  { title: 'Errors', hint: 'Executed, but the answer has errors', sortBy: ({ errors }) => errors },
  { title: 'Refused', hint: 'Not executed', sortBy: ({ refused }) => refused },
  { title: 'Cost', hint: 'Points per request, as computed before execution', sortBy: (operation) => costOf(operation) ?? 0 },
]

/** Shows the operations, sorted by the column that was selected. @param {(selector: string) => HTMLElement} find */
export function createOperations(find) {
  const table = /** @type {HTMLTableElement} */ (find('#operations'))
  const more = find('#all-operations')
  let sorted = 1
  let isExpanded = false
  /** @type {Operations} */
  let latest = { seconds: 1, operations: [] }
  const showRows = createTable(
    table,
    columns.map(({ title, hint, sortBy }, index) => ({
      title,
      ...(hint && { hint }),
      ...(sortBy && {
        onSort: () => {
          sorted = index
          show()
        },
      }),
    })),
  )
  more.addEventListener('click', () => {
    isExpanded = !isExpanded
    show()
  })

  const show = () => {
    for (const [index, cell] of [...(table.tHead?.rows[0]?.cells ?? [])].entries())
      if (index === sorted) cell.setAttribute('aria-sort', 'descending')
      else cell.removeAttribute('aria-sort')
    const sortBy = columns[sorted]?.sortBy ?? (() => 0)
    const all = [...latest.operations].sort((a, b) => sortBy(b) - sortBy(a))
    const shown = isExpanded ? all : all.slice(0, firstRows)
    showRows(shown.map((operation) => ({ key: operation.name, cells: cellsOf(operation, latest.seconds) })))
    more.hidden = all.length <= firstRows
    more.setAttribute('aria-expanded', String(isExpanded))
    more.textContent = isExpanded ? 'Show fewer' : `Show all ${all.length}`
    find('#operations-period').textContent =
      all.length === 0 ? `No requests in the last ${periodOf(latest.seconds)}.` : `The last ${periodOf(latest.seconds)}.`
  }

  /** @param {Operations} operations */
  return (operations) => {
    latest = operations
    show()
  }
}

/** @param {Operation} operation @param {number} seconds */
function cellsOf(operation, seconds) {
  const { name, requests, errors, refused, latencyMs } = operation
  const { p50, p99, max } = latencyMs
  return [
    labels[name] ?? name,
    number(requests),
    perSecond(requests, seconds),
    duration(p50),
    p99 === null && max !== null ? `max ${duration(max)}` : duration(p99),
    counted(errors, requests),
    counted(refused, requests),
    average(costOf(operation)),
  ]
}

/** @param {number} count @param {number} requests */
function counted(count, requests) {
  return count === 0 ? '0' : `${number(count)} (${percent(share(count, requests))})`
}

/** Refused requests have no cost. @param {Operation} operation */
function costOf({ points, requests, refused }) {
  return share(points, requests - refused)
}

/** @param {Operation['latencyMs']} latency */
function slowness({ p99, max }) {
  return p99 ?? max ?? 0
}
