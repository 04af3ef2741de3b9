/** Names that are probably one of `known`, by that one. What begins with a known name and goes on after an underscore has a meaning of its own. */
export function misspeltNames(names: readonly string[], known: readonly string[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const name of names) {
    if (known.includes(name)) continue
    const nearest = known.find((its) => !name.startsWith(`${its}_`) && isNear(name.toUpperCase().replaceAll('-', '_'), its))
    if (nearest !== undefined) found.set(name, nearest)
  }
  return found
}

/**
 * Whether one letter is wrong, missing or too many, or two neighbours are swapped. Two mistakes would take DATABASE_PORT, which Kubernetes
 * sets, for DATABASE_POOL. Short names are near to too many others.
 */
function isNear(name: string, known: string): boolean {
  if (known.length < 7) return false
  const shorter = Math.min(name.length, known.length)
  let start = 0
  while (start < shorter && name[start] === known[start]) start += 1
  let end = 0
  while (end < shorter - start && name.at(-1 - end) === known.at(-1 - end)) end += 1
  const is = name.slice(start, name.length - end)
  const meant = known.slice(start, known.length - end)
  return Math.max(is.length, meant.length) <= 1 || (is.length === 2 && is === `${meant[1]}${meant[0]}` && meant.length === 2)
}
