import type { Spread } from './statistics.js'

/** A Markdown table that is also readable in a terminal: padded columns, right-aligned numbers */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) => Math.max(3, heading.length, ...rows.map((row) => (row[column] ?? '').length)))
  const isRight = (column: number) => column > 0
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (isRight(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))).join(' | ')} |`
  const rule = widths.map((width, column) => (isRight(column) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  return [line(headings), line(rule), ...rows.map(line)].join('\n')
}

/** 12,345; below 100 with one decimal, below 10 with two */
export function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value.toFixed(value >= 10 ? 1 : 2)
}

export function percent(share: number | null): string {
  return share === null ? '–' : `${(100 * share).toFixed(share < 0.1 && share > 0 ? 1 : 0)} %`
}

export function milliseconds(us: number): string {
  return `${number(us / 1000)} ms`
}

export function megabytes(bytes: number | null): string {
  return bytes === null ? '–' : `${Math.round(bytes / 1024 ** 2)} MB`
}

/** The median, with the least and the most if they differ */
export function spreadText(spread: Spread | null, text: (value: number) => string): string {
  if (spread === null) return '–'
  const { median, min, max } = spread
  return min === max ? text(median) : `${text(median)} (${text(min)} – ${text(max)})`
}
