import type { CacheStore } from 'cached-resolvers'
import { History } from './history.js'
import type { ProcessMetrics } from './process-metrics.js'
import { mergeCounts, type Summary, summarize } from './summary.js'
import { readTotals } from './totals.js'

export interface DashboardOptions {
  metrics: ProcessMetrics
  store: CacheStore
  /** The store's key for a slot number */
  keyOf: (slotMs: number, slot: number) => string
  createToken: () => string
  now: () => number
}

/** Data for the page: a summary of the last 10 seconds, and the slots of the last hour that the page does not have yet. */
export interface DashboardData {
  now: number
  scope: 'all' | 'this process'
  backend: CacheStore['backend']
  latest: Summary
  slots: ({ at: number } & Summary)[]
}

/** Samples this process periodically, and reads the samples of all processes. */
export class Dashboard {
  private readonly recent: History
  private readonly hour: History
  private readonly token: string
  private samples = 0
  private distrustedSamples = 0
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly options: DashboardOptions) {
    const { store, keyOf, createToken, now } = options
    this.token = createToken()
    const history = (slotMs: number, slotCount: number) =>
      new History({
        store,
        slotMs,
        slotCount,
        createToken,
        now,
        keyOf: (slot) => keyOf(slotMs, slot),
        totals: () => this.totals(),
      })
    this.recent = history(recentSlotMs, latestSlots + 2)
    this.hour = history(hourSlotMs, 3_600_000 / hourSlotMs)
  }

  start(): void {
    this.timer = setInterval(() => void this.sample(), recentSlotMs)
    this.timer.unref()
  }

  /** Writes the last counts to the store. */
  async stop(): Promise<void> {
    clearInterval(this.timer)
    await this.sample()
  }

  /** Returns the data for the page. `after` is the start of the last slot that the page has, in milliseconds. */
  async read(after: number): Promise<DashboardData> {
    const { metrics, store, now } = this.options
    const [recent, hour] = await Promise.all([this.recent.readRange(), this.hour.readRange()])
    // The current slot is incomplete, so it is left out.
    const latest = mergeCounts(recent.slots.slice(-1 - latestSlots, -1).map(({ counts }) => counts))
    const complete = hour.slots.slice(0, -1).filter(({ at, counts }) => at > after && counts.size > 0)
    return {
      now: now(),
      scope: hour.scope,
      backend: store.backend,
      latest: summarize(latest, (latestSlots * recentSlotMs) / 1000, metrics.namespaces),
      slots: complete.map(({ at, counts }) => ({ at, ...summarize(counts, hourSlotMs / 1000, metrics.namespaces) })),
    }
  }

  private async sample(): Promise<void> {
    this.samples += 1
    if (!this.options.metrics.cache.trusted) this.distrustedSamples += 1
    const histories = [this.recent, this.hour]
    for (const history of histories) history.sample()
    await Promise.allSettled(histories.map((history) => history.writePending()))
  }

  /** Returns the totals of this process, with a name unique to this process, so that processes can be counted. */
  private totals(): Map<string, number> {
    const totals = readTotals(this.options.metrics)
    totals.set(`process.${this.token}`, this.samples)
    totals.set(`doubting.${this.token}`, this.distrustedSamples)
    return totals
  }
}

const recentSlotMs = 2_000
const latestSlots = 5
const hourSlotMs = 10_000
