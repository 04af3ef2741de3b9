import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../src/database/connection.js'

const pollMs = 2
const patienceMs = 20_000

/** Measures how long after its commit a change by SQL has been carried to the cache: until its outbox rows are gone. */
export class CommitWatch {
  readonly durationsMs: number[] = []
  private readonly watched = new Set<Promise<void>>()

  constructor(
    private readonly database: Database,
    private readonly now: () => number,
    private readonly maxWatched: number,
  ) {}

  /** A few at a time are enough; 0 where nothing carries changes. */
  get hasRoom(): boolean {
    return this.watched.size < this.maxWatched
  }

  watch(outboxIds: readonly number[], committedAt: number): void {
    const done = this.untilGone(outboxIds, committedAt)
      .catch(() => undefined)
      .finally(() => this.watched.delete(done))
    this.watched.add(done)
  }

  async idle(): Promise<void> {
    await Promise.all(this.watched)
  }

  private async untilGone(ids: readonly number[], committedAt: number): Promise<void> {
    while (this.now() - committedAt < patienceMs) {
      const left = await this.database`select 1 from cache_outbox where id = any(${ids as number[]}::bigint[]) limit 1`
      if (left.length === 0) break
      await sleep(pollMs)
    }
    this.durationsMs.push(this.now() - committedAt)
  }
}
