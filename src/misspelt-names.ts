/** Names that are probably one of `known`, by that one. What begins with a known name and goes on after an underscore has a meaning of its own. */
export function misspeltNames(names: readonly string[], known: readonly string[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const name of names) {
    if (known.includes(name)) continue
    const nearest = known.find((its) => !name.startsWith(`${its}_`) && isNear(name.toUpperCase(), its))
    if (nearest !== undefined) found.set(name, nearest)
  }
  return found
}

/** Short names are near to too many others. */
function isNear(name: string, known: string): boolean {
  if (known.length < 7) return false
  const most = known.length < 10 ? 1 : 2
  return Math.abs(name.length - known.length) <= most && distance(name, known) <= most
}

/** How many letters are wrong, missing, too many, or in the place of their neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)]
  for (let row = 1; row <= a.length; row += 1) {
    const cells = [row]
    const at = (from: number, column: number) => (from === row ? cells : rows[from])?.[column] as number
    for (let column = 1; column <= b.length; column += 1) {
      const isSame = a[row - 1] === b[column - 1]
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      cells.push(
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + (isSame ? 0 : 1),
          swapped ? at(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    rows.push(cells)
  }
  return rows.at(-1)?.at(-1) as number
}
