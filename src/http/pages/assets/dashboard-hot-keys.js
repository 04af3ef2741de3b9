import { pageTitle } from './dashboard-entries.js'
import { number, percent, periodOf, perSecond, share } from './dashboard-format.js'
import { createTable } from './dashboard-table.js'

/** @typedef {import('../../../platform/metrics/dashboard.js').DashboardData['hotKeys']} HotKeys */
/** @typedef {HotKeys['hotKeys'][number]} HotKey */

const columns = [
  { title: 'Key' },
  { title: 'Namespace' },
  { title: 'Share of reads' },
  { title: 'Reads/s', hint: 'Lookups of this key in the near and the far store, misses included' },
  { title: '' },
]

/**
 * Shows the keys that are read most often.
 * @param {(selector: string) => HTMLElement} find
 * @param {(namespace: string, idOrList: string) => void} lookUp
 */
export function createHotKeys(find, lookUp) {
  const table = /** @type {HTMLTableElement} */ (find('#hot-keys'))
  const showRows = createTable(table, columns, (row, key) => {
    const [namespace, idOrList] = JSON.parse(key)
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = 'Look up'
    button.setAttribute('aria-label', `Look up ${idOrList} of ${namespace}`)
    button.addEventListener('click', () => lookUp(namespace, idOrList))
    row.cells[columns.length - 1]?.append(button)
  })
  /** @param {HotKeys} hotKeys */
  return ({ seconds, reads, hotKeys }) => {
    showRows(hotKeys.map((key) => ({ key: identify(key), cells: cellsOf(key, reads, seconds) })))
    table.hidden = hotKeys.length === 0
    find('#hot-keys-period').textContent =
      reads === 0
        ? `No reads in the last ${periodOf(seconds)}.`
        : `The keys read most often in the last ${periodOf(seconds)}, of about ${number(reads)} reads.`
  }
}

/** @param {HotKey} key */
function identify({ namespace, idOrList, parameters }) {
  return JSON.stringify([namespace, idOrList, parameters])
}

/** @param {HotKey} key @param {number} allReads @param {number} seconds */
function cellsOf({ namespace, idOrList, parameters, reads }, allReads, seconds) {
  const name = parameters ? `${idOrList}: ${pageTitle(parameters)}` : idOrList
  return [name, namespace, percent(share(reads, allReads)), perSecond(reads, seconds)]
}
