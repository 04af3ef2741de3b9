import { number } from './dashboard-format.js'
import { createTable } from './dashboard-table.js'

/** @typedef {import('../../../platform/metrics/dashboard.js').DashboardData} Data */
/** @typedef {import('../../../platform/metrics/summary.js').Summary} Summary */
/** @typedef {{ kind: 'failed' | 'refused' | 'client', meaning: string, cause?: 'error' | 'warning' }} Hint */

const kinds = /** @type {const} */ (['failed', 'refused', 'client'])
const kindNames = { failed: 'Failed', refused: 'Refused', client: 'Client error' }
/** Errors counted as "other" have a code that docs/errors.md does not list. @type {Hint} */
const unknownCode = { kind: 'failed', meaning: 'A code that this server does not know' }

const columns = [
  { title: 'Code' },
  { title: 'Kind' },
  { title: 'Last 10 s' },
  { title: 'In the range', hint: 'The time range of the charts' },
  { title: 'Meaning' },
]

/** Shows the codes of the errors in answers, failures of the server first. @param {(selector: string) => HTMLElement} find */
export function createErrors(find) {
  const table = /** @type {HTMLTableElement} */ (find('#errors'))
  /** @type {Readonly<Record<string, Hint>>} */
  const hints = JSON.parse(/** @type {string} */ (table.dataset.hints))
  const hintOf = (/** @type {string} */ code) => hints[code] ?? unknownCode
  const showRows = createTable(table, columns, (row, code) => {
    row.dataset.kind = hintOf(code).kind
  })

  /** @param {Summary} latest @param {readonly Summary[]} slots those of the range @param {Data['logged']} logged */
  const show = (latest, slots, logged) => {
    const inRange = countsOf(slots)
    const codes = [...new Set([...Object.keys(latest.errorCodes), ...inRange.keys()])]
    /** @param {string} code */
    const countOf = (code) => Math.max(inRange.get(code) ?? 0, latest.errorCodes[code] ?? 0)
    const rank = (/** @type {string} */ code) => kinds.indexOf(hintOf(code).kind)
    codes.sort((a, b) => rank(a) - rank(b) || countOf(b) - countOf(a))
    showRows(
      codes.map((code) => {
        const hint = hintOf(code)
        const cells = [
          code,
          kindNames[hint.kind],
          number(latest.errorCodes[code] ?? 0),
          number(countOf(code)),
          textOf(hint, logged),
        ]
        return { key: code, cells }
      }),
    )
    table.hidden = codes.length === 0
    find('#no-errors').textContent = codes.length === 0 ? 'No answer had an error.' : ''
  }

  return {
    show,
    /** The number of answers with an error of this kind. @param {Summary} summary @param {Hint['kind']} kind */
    count: ({ errorCodes }, kind) =>
      Object.entries(errorCodes).reduce((sum, [code, count]) => (hintOf(code).kind === kind ? sum + count : sum), 0),
  }
}

/** @param {readonly Summary[]} slots */
function countsOf(slots) {
  /** @type {Map<string, number>} */
  const counts = new Map()
  for (const { errorCodes } of slots)
    for (const [code, count] of Object.entries(errorCodes)) counts.set(code, (counts.get(code) ?? 0) + count)
  return counts
}

/** Says where the log has the cause, but only if it does. @param {Hint} hint @param {Data['logged']} logged */
function textOf({ meaning, cause }, logged) {
  if (cause === 'error')
    return `${meaning}. ${logged.errors ? 'The log has it, with its stack.' : `${notLogged} LOG_LEVEL hides errors.`}`
  if (cause === 'warning')
    return `${meaning}. ${logged.warnings ? 'A warning in the log has the reason.' : `${notLogged} LOG_LEVEL hides warnings.`}`
  return logged.requests ? `${meaning}.` : `${meaning}. ${notLogged} Set LOG_REQUESTS=problems and LOG_LEVEL=info.`
}

const notLogged = 'Not in the log:'
