import type { Origin } from '../cache/slot.js'
import type { CacheReader } from './cache-reader.js'
import type { Read } from './reads.js'

/** Lookups by where their answer came from, each counted once, and the statements that were run for what came from nowhere */
export type OriginCounts = Record<Origin, number> & { statements: number; statementMs: number }

/** Tells where what one request loads comes from, by name of namespace. */
export class Origins {
  readonly counts = new Map<string, OriginCounts>()

  constructor(private readonly now: () => number) {}

  ofReads(cache: CacheReader): CacheReader {
    return {
      readNear: (namespace, id, counted) => {
        const countedBefore = counted.size
        const value = cache.readNear(namespace, id, counted)
        if (counted.size > countedBefore) this.of(namespace.name)[value === null ? 'negative' : 'near'] += 1
        return value
      },
      getOrFetchMany: (namespace, ids, fetch, options) => {
        const observe = (origin: Origin) => {
          this.of(namespace.name)[origin] += 1
        }
        return cache.getOrFetchMany(namespace, ids, fetch, { ...options, observe })
      },
    }
  }

  ofStatements<Source>(read: Read<Source>): Read<Source> {
    return (name, its, signal) => this.time(name, read(name, its, signal))
  }

  private async time<T>(namespace: string, statement: Promise<T>): Promise<T> {
    const startedAt = this.now()
    try {
      return await statement
    } finally {
      const counts = this.of(namespace)
      counts.statements += 1
      counts.statementMs += this.now() - startedAt
    }
  }

  private of(namespace: string): OriginCounts {
    const counts = this.counts.get(namespace) ?? {
      near: 0,
      far: 0,
      stale: 0,
      negative: 0,
      miss: 0,
      statements: 0,
      statementMs: 0,
    }
    this.counts.set(namespace, counts)
    return counts
  }
}
