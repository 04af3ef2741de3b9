/** Counts by name. */
export class Tally {
  private readonly counts = new Map<string, number>()

  add(name: string, count = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + count)
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Sorted by name */
  get entries(): [string, number][] {
    return [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1))
  }
}

/** The value below which this share (0 to 1) of the values lies; null without values */
export function percentile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number
}
