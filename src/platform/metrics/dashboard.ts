import type { CacheStore, SampledReads } from 'cached-resolvers'
import { type Counts, mergeCounts } from './counts.js'
import { History, type HistoryRange } from './history.js'
import { summarizeReads } from './hot-keys.js'
import { type OperationSummary, summarizeOperations } from './operations.js'
import type { ProcessMetrics } from './process-metrics.js'
import { Sampler } from './sampler.js'
import { type Summary, summarize } from './summary.js'

export interface DashboardOptions {
  metrics: ProcessMetrics
  store: CacheStore
  /** The store's key for a slot number of a series */
  keyOf: (series: string, slot: number) => string
  createToken: () => string
  now: () => number
  /** Maximum number of operation names that a process counts in a slot */
  maxOperations: number
  /** Which failures have lines in the log of this process */
  logged: LoggedFailures
}

interface LoggedFailures {
  /** A line for each request that was refused or answered with errors */
  requests: boolean
  /** The causes of errors that are masked for the client: bugs are logged as errors, outages as warnings */
  errors: boolean
  warnings: boolean
}

/** Data for the page: a summary of the last 10 seconds, and the slots of the last hour that the page does not have yet. */
export interface DashboardData {
  now: number
  scope: 'all' | 'this process'
  backend: CacheStore['backend']
  logged: LoggedFailures
  latest: Summary
  slots: ({ at: number } & Summary)[]
  operations: {
    /** The time covered: about 10 minutes, or less after a start */
    seconds: number
    operations: OperationSummary[]
  }
  /** `seconds`: the time covered, about a minute, or less after a start */
  hotKeys: { seconds: number } & SampledReads
}

/** Samples this process periodically, and reads the samples of all processes. */
export class Dashboard {
  private readonly recent: History
  private readonly hour: History
  private readonly operations: History
  private readonly hotKeys: History
  private readonly token: string
  private readonly sampler: Sampler
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly options: DashboardOptions) {
    const { metrics, store, keyOf, createToken, now, maxOperations } = options
    this.token = createToken()
    this.sampler = new Sampler(metrics, this.token, maxOperations)
    const history = (series: string, slotMs: number, slotCount: number) =>
      new History({ store, slotMs, slotCount, createToken, now, keyOf: (slot) => keyOf(series, slot) })
    this.recent = history(String(recentSlotMs), recentSlotMs, latestSlots + 2)
    this.hour = history(String(hourSlotMs), hourSlotMs, 3_600_000 / hourSlotMs)
    this.operations = history('operations', operationsSlotMs, operationsSlots)
    this.hotKeys = history('hot-keys', hotKeysSlotMs, hotKeysSlots)
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
    const { metrics, store, now, logged } = this.options
    const [recent, hour, operations, hotKeys] = await Promise.all([
      this.recent.readRange(),
      this.hour.readRange(),
      this.operations.readRange(),
      this.hotKeys.readRange(),
    ])
    // The current slot is incomplete, so it is left out.
    const latest = mergeCounts(recent.slots.slice(-1 - latestSlots, -1).map(({ counts }) => counts))
    const startedAt = startOf(hour)
    const complete = hour.slots.slice(0, -1).filter(({ at, counts }) => at > after && counts.size > 0)
    return {
      now: now(),
      scope: hour.scope,
      backend: store.backend,
      logged,
      latest: summarize(latest, (latestSlots * recentSlotMs) / 1000, metrics.namespaces),
      slots: complete.map(({ at, counts }) => ({ at, ...summarize(counts, hourSlotMs / 1000, metrics.namespaces) })),
      operations: {
        seconds: secondsOf(operations, startedAt, now()),
        operations: summarizeOperations(countsIn(operations), maxOperationsShown),
      },
      hotKeys: { seconds: secondsOf(hotKeys, startedAt, now()), ...summarizeReads(countsIn(hotKeys), maxHotKeysShown) },
    }
  }

  private async sample(): Promise<void> {
    const { metrics, now } = this.options
    const { process, operations, hotKeys } = this.sampler.take(Math.floor(now() / operationsSlotMs))
    // These names are unique to this process, so that processes can be counted.
    const counts = new Map(process.counts).set(`process.${this.token}`, 1)
    if (!metrics.cache.trusted) counts.set(`doubting.${this.token}`, 1)
    for (const history of [this.recent, this.hour]) history.add({ ...process, counts })
    this.operations.add(operations)
    this.hotKeys.add(hotKeys)
    const histories = [this.recent, this.hour, this.operations, this.hotKeys]
    await Promise.allSettled(histories.map((history) => history.writePending()))
  }
}

/** The start of the first slot that has counts */
function startOf({ slots }: HistoryRange): number {
  return slots.find(({ counts }) => counts.size > 0)?.at ?? Number.POSITIVE_INFINITY
}

/** `startedAt`: when the processes began to count; there are no slots of operations without requests */
function secondsOf({ slots }: HistoryRange, startedAt: number, now: number): number {
  const from = Math.max(slots[0]?.at ?? 0, startedAt)
  return Math.max(1, (now - from) / 1000)
}

function countsIn({ slots }: HistoryRange): Counts[] {
  return slots.map(({ counts }) => counts)
}

const recentSlotMs = 2_000
const latestSlots = 5
const hourSlotMs = 10_000
const operationsSlotMs = 60_000
/** 10 minutes, and the current slot */
const operationsSlots = 11
const maxOperationsShown = 40
const hotKeysSlotMs = 10_000
/** A minute, and the current slot */
const hotKeysSlots = 7
const maxHotKeysShown = 10
