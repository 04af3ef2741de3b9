import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../src/platform/database/connection.js'
import { isOwed } from './owed.js'

const pollMs = 2
const patienceMs = 20_000

/** Measures how long after its commit a change by SQL has been carried to the cache: until its outbox rows are owed to no store in use. */
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
      if (!(await isOwed(this.database, ids))) break
      await sleep(pollMs)
    }
    this.durationsMs.push(this.now() - committedAt)
  }
}
