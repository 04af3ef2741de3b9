/** A seeded pseudo-random number generator. */
export class Random {
  constructor(private state: number) {
    this.state = scatter(state)
  }

  /** A number from 0 (inclusive) to 1 (exclusive): mulberry32 */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  /** An integer from 0 (inclusive) to `end` (exclusive) */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }
}

/** Derives a seed from another and a purpose, deterministically. */
export function seedOf(seed: number, purpose: string): number {
  let hash = scatter(seed) ^ 0x811c9dc5
  for (let index = 0; index < purpose.length; index += 1) hash = Math.imul(hash ^ purpose.charCodeAt(index), 0x01000193)
  return scatter(hash)
}

/** Mixes the bits, so that consecutive seeds produce unrelated sequences. */
function scatter(seed: number): number {
  let mixed = seed | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
