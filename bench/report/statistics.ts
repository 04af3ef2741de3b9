export interface Spread {
  median: number
  least: number
  most: number
}

/** null where there is nothing. */
export function spread(values: readonly (number | null)[]): Spread | null {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b)
  if (sorted.length === 0) return null
  return { median: quantile(sorted, 0.5), least: sorted[0] as number, most: sorted.at(-1) as number }
}

/** Of sorted values, by interpolation; 0 of none. */
export function quantile(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1)
  const [below, above] = [sorted[Math.floor(position)] ?? 0, sorted[Math.ceil(position)] ?? 0]
  return below + (above - below) * (position - Math.floor(position))
}
