/** A pseudorandom generator: equal seeds and names give equal sequences. */
export class Random {
  private state: number

  /** `name` gives every actor a sequence that does not depend on the other actors. */
  constructor(seed: number, name: string) {
    this.state = seed >>> 0
    for (const character of name) this.state = Math.imul(this.state ^ character.charCodeAt(0), 0x01000193) >>> 0
  }

  /** From 0 to 1 (exclusive); mulberry32 */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer from `min` to `max`, both inclusive */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  /**
   * Like `between`, but usually one of the first three: so few rows are read and written so often that fetches and commits
   * overlap.
   */
  skewed(min: number, max: number): number {
    return this.between(min, this.chance(0.6) ? Math.min(min + 2, max) : max)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)] as T
  }
}

/** Picks a name with a probability proportional to its weight. */
export function pickWeighted<Name extends string>(random: Random, weights: Readonly<Record<Name, number>>): Name {
  const entries = Object.entries(weights) as [Name, number][]
  let left = random.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [name, weight] of entries) {
    left -= weight
    if (left < 0) return name
  }
  return (entries.at(-1) as [Name, number])[0]
}
