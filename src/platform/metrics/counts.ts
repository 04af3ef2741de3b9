/** Integers by name */
export type Counts = ReadonlyMap<string, number>

/** Names of maxima begin with this prefix, and are not summed over time or across processes. */
export const maximumPrefix = 'max.'

export function addCount(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count)
}

/** Returns by how much the counts have changed, without the names whose count is the same. A name that was absent had the count 0. */
export function countsSince(before: Counts | undefined, counts: Counts): Counts {
  const added = [...counts].map(([name, count]) => [name, count - (before?.get(name) ?? 0)] as const)
  return new Map(added.filter(([, count]) => count !== 0))
}

/** Merges the counts of several slots: sums, except for maxima. */
export function mergeCounts(all: readonly Counts[]): Counts {
  const merged = new Map<string, number>()
  for (const counts of all)
    for (const [name, count] of counts) {
      const other = merged.get(name) ?? 0
      merged.set(name, name.startsWith(maximumPrefix) ? Math.max(other, count) : other + count)
    }
  return merged
}
