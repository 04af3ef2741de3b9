import type { LookupSource } from '../cache/key-read.js'
import type { CacheReader } from './cache-reader.js'
import type { Read } from './reads.js'

/**
 * The number of lookups in a namespace by source, counting each key once, and the number and total duration of the SQL statements
 * that fetched values.
 */
export type CacheReportCounts = Record<LookupSource, number> & { statements: number; statementMs: number }

/** Counts, for each namespace, the sources of the values that one request loads: near store, far store or database. */
export class CacheReport {
  readonly counts = new Map<string, CacheReportCounts>()

  constructor(private readonly now: () => number) {}

  /** Returns a reader that counts the lookups made through it. */
  wrapReader(cache: CacheReader): CacheReader {
    return {
      hasNear: cache.hasNear,
      readNear: (namespace, id, counted) => {
        const countedBefore = counted.size
        const value = cache.readNear(namespace, id, counted)
        if (counted.size > countedBefore) this.countsOf(namespace.name)[value === null ? 'negative' : 'near'] += 1
        return value
      },
      getOrFetchMany: (namespace, ids, fetch, options) => {
        const onLookup = (source: LookupSource) => {
          this.countsOf(namespace.name)[source] += 1
        }
        return cache.getOrFetchMany(namespace, ids, fetch, { ...options, onLookup })
      },
      fetchMany: (namespace, ids, fetch, options) => cache.fetchMany(namespace, ids, fetch, options),
    }
  }

  /** Returns a read function that counts and times the statements run through it. */
  wrapRead<Source>(read: Read<Source>): Read<Source> {
    return (name, run, signal) => this.time(name, read(name, run, signal))
  }

  private async time<T>(namespace: string, statement: Promise<T>): Promise<T> {
    const startedAt = this.now()
    try {
      return await statement
    } finally {
      const counts = this.countsOf(namespace)
      counts.statements += 1
      counts.statementMs += this.now() - startedAt
    }
  }

  private countsOf(namespace: string): CacheReportCounts {
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
