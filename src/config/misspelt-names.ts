/**
 * Maps each name that is probably misspelt to the known name that was probably intended. A known name plus an underscore and a
 * suffix is not a misspelling.
 */
export function misspeltNames(names: readonly string[], known: readonly string[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const name of names) {
    if (known.includes(name)) continue
    const nearest = known.find(
      (candidate) => !name.startsWith(`${candidate}_`) && isSimilar(name.toUpperCase().replaceAll('-', '_'), candidate),
    )
    if (nearest !== undefined) found.set(name, nearest)
  }
  return found
}

/**
 * Whether one letter is wrong, missing or extra, or two adjacent letters are swapped. If two wrong letters were allowed,
 * DATABASE_PORT, which Kubernetes sets, would match DATABASE_POOL. Short names never match, because they are similar to too many
 * other names.
 */
function isSimilar(name: string, known: string): boolean {
  if (known.length < 7) return false
  const shorter = Math.min(name.length, known.length)
  let start = 0
  while (start < shorter && name[start] === known[start]) start += 1
  let end = 0
  while (end < shorter - start && name.at(-1 - end) === known.at(-1 - end)) end += 1
  const actual = name.slice(start, name.length - end)
  const intended = known.slice(start, known.length - end)
  return (
    Math.max(actual.length, intended.length) <= 1 ||
    (actual.length === 2 && actual === `${intended[1]}${intended[0]}` && intended.length === 2)
  )
}
