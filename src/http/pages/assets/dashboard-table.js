import { setText } from './dashboard-dom.js'

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {string} [hint] shown when the pointer is on the title
 * @property {() => void} [onSort] makes the title a button
 */

/**
 * Creates the head of a table, and returns a function that shows its rows. A row is the texts of its cells, the first of which is its
 * header. Rows are kept by key, so that buttons in them keep the focus.
 * @param {HTMLTableElement} table
 * @param {readonly Column[]} columns
 * @param {(row: HTMLTableRowElement, key: string) => void} [decorate] called once for each new row
 */
export function createTable(table, columns, decorate) {
  const head = /** @type {HTMLTableRowElement} */ (table.tHead?.rows[0])
  head.append(...columns.map(headerOf))
  const body = /** @type {HTMLTableSectionElement} */ (table.tBodies[0])
  /** @type {Map<string, HTMLTableRowElement>} */
  const rows = new Map()
  /** @param {readonly { key: string, cells: readonly string[] }[]} data */
  return (data) => {
    for (const [key, row] of rows) if (!data.some((other) => other.key === key)) rows.delete(key) && row.remove()
    for (const [position, { key, cells }] of data.entries()) {
      const row = rows.get(key) ?? createRow(columns, key, decorate)
      rows.set(key, row)
      if (body.rows[position] !== row) body.insertBefore(row, body.rows[position] ?? null)
      for (const [index, text] of cells.entries()) setText(/** @type {HTMLElement} */ (row.cells[index]), text)
    }
  }
}

/** @param {Column} column */
function headerOf({ title, hint, onSort }) {
  const header = document.createElement('th')
  header.scope = 'col'
  if (hint !== undefined) header.title = hint
  if (!onSort) header.textContent = title
  else {
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'sort'
    button.textContent = title
    button.addEventListener('click', onSort)
    header.append(button)
  }
  return header
}

/** @param {readonly Column[]} columns @param {string} key @param {((row: HTMLTableRowElement, key: string) => void) | undefined} decorate */
function createRow(columns, key, decorate) {
  const row = document.createElement('tr')
  const header = document.createElement('th')
  header.scope = 'row'
  row.append(header)
  for (const { title } of columns.slice(1)) row.insertCell().dataset.title = title
  decorate?.(row, key)
  return row
}
