import type { CacheStore } from 'cached-resolvers'
import type { Figures } from './figures.js'
import { History } from './history.js'
import { merge, type Summary, summarize } from './summary.js'
import { readTotals } from './totals.js'

export interface DashboardOptions {
  figures: Figures
  store: CacheStore
  /** Of the slot with that number, in the store */
  keyOf: (slotMs: number, slot: number) => string
  createToken: () => string
  now: () => number
}

/** What the page gets: the last ten seconds, and the slots of the last hour that began after the one it knows. */
export interface DashboardData {
  now: number
  of: 'all' | 'this process'
  backend: CacheStore['backend']
  latest: Summary
  slots: ({ at: number } & Summary)[]
}

/** Samples this process for as long as it runs, and reads what all processes sampled. */
export class Dashboard {
  private readonly live: History
  private readonly hour: History
  private readonly token: string
  private samples = 0
  private doubts = 0
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly options: DashboardOptions) {
    const { store, keyOf, createToken, now } = options
    this.token = createToken()
    const history = (slotMs: number, slots: number) =>
      new History({
        ...{ store, slotMs, slots, createToken, now },
        keyOf: (slot) => keyOf(slotMs, slot),
        totals: () => this.totals(),
      })
    this.live = history(liveSlotMs, latestSlots + 2)
    this.hour = history(hourSlotMs, 3_600_000 / hourSlotMs)
  }

  start(): void {
    this.timer = setInterval(() => void this.sample(), liveSlotMs)
    this.timer.unref()
  }

  /** What was counted to the end is shared. */
  async stop(): Promise<void> {
    clearInterval(this.timer)
    await this.sample()
  }

  /** `after`: the beginning of the last slot that the page has, in milliseconds. */
  async read(after: number): Promise<DashboardData> {
    const { figures, store, now } = this.options
    const [live, hour] = await Promise.all([this.live.past(), this.hour.past()])
    // The last slot is not over yet.
    const latest = merge(live.slots.slice(-1 - latestSlots, -1).map(({ counts }) => counts))
    const over = hour.slots.slice(0, -1).filter(({ at, counts }) => at > after && counts.size > 0)
    return {
      now: now(),
      of: hour.of,
      backend: store.backend,
      latest: summarize(latest, (latestSlots * liveSlotMs) / 1000, figures.namespaces),
      slots: over.map(({ at, counts }) => ({ at, ...summarize(counts, hourSlotMs / 1000, figures.namespaces) })),
    }
  }

  private async sample(): Promise<void> {
    this.samples += 1
    if (!this.options.figures.cache.trusted) this.doubts += 1
    const histories = [this.live, this.hour]
    for (const history of histories) history.sample()
    await Promise.allSettled(histories.map((history) => history.share()))
  }

  /** With a name of its own for each process, so that they can be counted. */
  private totals(): Map<string, number> {
    const totals = readTotals(this.options.figures)
    totals.set(`process.${this.token}`, this.samples)
    totals.set(`doubting.${this.token}`, this.doubts)
    return totals
  }
}

const liveSlotMs = 2_000
const latestSlots = 5
const hourSlotMs = 10_000
