export interface Spread {
  median: number
  min: number
  max: number
}

/** Median, minimum and maximum of the values that are not null; null if there are none */
export function spread(values: readonly (number | null)[]): Spread | null {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b)
  if (sorted.length === 0) return null
  return { median: quantile(sorted, 0.5), min: sorted[0] as number, max: sorted.at(-1) as number }
}

/** Quantile of sorted values by linear interpolation; 0 without values */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const position = share * (sorted.length - 1)
  const [below, above] = [sorted[Math.floor(position)] ?? 0, sorted[Math.ceil(position)] ?? 0]
  return below + (above - below) * (position - Math.floor(position))
}
