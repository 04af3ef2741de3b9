/** Chance from a seed: equal seeds and names give equal decisions. */
export class Random {
  private state: number

  /** `name` gives every actor chances of its own, whatever the others do. */
  constructor(seed: number, name: string) {
    this.state = seed >>> 0
    for (const character of name) this.state = Math.imul(this.state ^ character.charCodeAt(0), 0x01000193) >>> 0
  }

  /** 0 to 1, 1 excluded (mulberry32) */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number, both ends included */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  /** As `between`, but mostly one of the first three: rows that are read and written so often that fetches and commits meet. */
  skewed(least: number, most: number): number {
    return this.between(least, this.chance(0.6) ? Math.min(least + 2, most) : most)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)] as T
  }
}

/** One of the names, each as often as its weight says. */
export function pickWeighted<Name extends string>(random: Random, weights: Readonly<Record<Name, number>>): Name {
  const entries = Object.entries(weights) as [Name, number][]
  let left = random.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [name, weight] of entries) {
    left -= weight
    if (left < 0) return name
  }
  return (entries.at(-1) as [Name, number])[0]
}
