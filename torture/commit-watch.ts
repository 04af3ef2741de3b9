import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../src/platform/database/connection.js'
import { isUndelivered } from './undelivered.js'

const pollMs = 2
const timeoutMs = 20_000

/**
 * Measures how long the delivery of a change by SQL takes: from the commit until its outbox rows are delivered to all stores in
 * use.
 */
export class CommitWatch {
  readonly durationsMs: number[] = []
  private readonly watched = new Set<Promise<void>>()

  constructor(
    private readonly database: Database,
    private readonly now: () => number,
    private readonly maxWatched: number,
  ) {}

  /** Whether another commit can be watched: a few at a time are enough, none without a relay */
  get hasRoom(): boolean {
    return this.watched.size < this.maxWatched
  }

  watch(outboxIds: readonly number[], committedAt: number): void {
    const done = this.untilDelivered(outboxIds, committedAt)
      .catch(() => undefined)
      .finally(() => this.watched.delete(done))
    this.watched.add(done)
  }

  async idle(): Promise<void> {
    await Promise.all(this.watched)
  }

  private async untilDelivered(ids: readonly number[], committedAt: number): Promise<void> {
    while (this.now() - committedAt < timeoutMs) {
      if (!(await isUndelivered(this.database, ids))) break
      await sleep(pollMs)
    }
    this.durationsMs.push(this.now() - committedAt)
  }
}
