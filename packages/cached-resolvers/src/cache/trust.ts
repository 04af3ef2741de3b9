import { type ChangeSource, standalone } from './change-source.js'
import { withDeadline } from './deadline.js'
import { reasonOf } from './reason.js'
import type { CacheStore, WatchedServer } from './store.js'

export interface TrustOptions {
  store: CacheStore
  /** Where the store holds its registration. Caches with other keys have another one, and are registered apart. */
  markerKey: string
  /** Removed when the store is registered anew: what it holds may be from before invalidations that it never got. */
  generationKeys: readonly string[]
  retryMs: number
  /** How often the source is told that the store is in use */
  reportMs: number
  /** Monotonic, in milliseconds */
  now: () => number
  sleep: (ms: number) => Promise<void>
  log: (message: string) => void
}

/**
 * Whether what the store holds may be believed. It may, for as long as the source knows that it is in use: it then owes the store every
 * invalidation that was committed. A store that could not be reached, even for a moment, is distrusted until all that is owed to it has
 * been delivered; one that is not registered, or holds another registration than its own, is first emptied in O(1).
 */
export class Trust {
  /** Set by the last attempt that succeeded; what is owed to it is this process's to deliver. */
  private current: { registration: string; server: string } | undefined
  private doubts = 1
  private doubtsSettled = 0
  private settledAt = Number.NEGATIVE_INFINITY
  private confirmedAt = Number.NEGATIVE_INFINITY
  /** The source did not answer. Nobody can tell then, and what the store holds goes on being served. */
  private sourceIsAway = false
  private regaining: Promise<void> | undefined
  private reporting: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined
  private hasEnded = false
  /** Of the last attempt; '' where it did not fail */
  private lastReason = ''
  private readonly explained = new Set<string>()

  private source = standalone

  constructor(private readonly options: TrustOptions) {}

  get isTrusted(): boolean {
    return this.isSettled && (this.sourceIsAway || !this.hasLapsed())
  }

  /** No doubt has been raised. Costs no look at the clock, for callers whose own right to answer is short. */
  get isSettled(): boolean {
    return this.doubts === this.doubtsSettled
  }

  /** Under which invalidations are owed to the store; undefined while it is distrusted. */
  get registration(): string | undefined {
    return this.isTrusted ? this.current?.registration : undefined
  }

  /** What keeps the store from being trusted */
  get reason(): string {
    return this.lastReason || 'what is owed to it is being delivered'
  }

  /** Another one after each doubt: as long as it stays the same, all that the store confirms comes from the same server. */
  get epoch(): number {
    return this.doubts
  }

  /** Whether this is the server that is trusted, and holds what it held then. */
  isTrustedServer({ runId, marker }: WatchedServer): boolean {
    const { current } = this
    if (!this.isTrusted || !current) return false
    const isOne = current.server.split(',').some((name) => name.split('/')[0] === runId)
    return isOne && (marker === undefined || marker === current.registration)
  }

  /** Whether this is another server, or holds something else, as a look says that was begun at `asOf`; what was seen before this one was trusted says nothing. */
  isOtherServer(server: WatchedServer, asOf: number): boolean {
    return this.isTrusted && asOf > this.settledAt && !this.isTrustedServer(server)
  }

  /** Ends as soon as the store answers and is caught up with, tried again and again in the background. */
  distrust(): void {
    this.doubts += 1
    void this.regain()
  }

  /** Resolves after the first attempt, whatever came of it. */
  async start(source: ChangeSource): Promise<void> {
    this.source = source
    await this.attempt()
    if (!this.isSettled) void this.regain()
    this.timer = setInterval(() => this.report(), this.options.reportMs)
    this.timer.unref()
  }

  async end(): Promise<void> {
    this.hasEnded = true
    clearInterval(this.timer)
    await this.reporting
    // What is in this process alone is gone with it.
    if (this.options.store.backend === 'memory' && this.current)
      await this.source.unregister(this.current.registration).catch(() => undefined)
  }

  private hasLapsed(): boolean {
    return this.options.now() - this.confirmedAt > this.source.leaseMs
  }

  private regain(): Promise<void> {
    this.regaining ??= this.attemptUntilSettled().finally(() => {
      this.regaining = undefined
    })
    return this.regaining
  }

  private async attemptUntilSettled(): Promise<void> {
    while (!this.isSettled && !this.hasEnded) {
      await this.attempt()
      if (!this.isSettled) await this.options.sleep(this.options.retryMs)
    }
  }

  private async attempt(): Promise<void> {
    const { store } = this.options
    const doubts = this.doubts
    try {
      await store.ping()
      const server = await store.identity()
      const registration = await this.adopt(server)
      // A long catch-up outlives the report before it, and others need not have waited for this store any more.
      do await this.confirm(registration, doubts)
      while (this.hasLapsed())
      this.current = { registration, server }
      this.sourceIsAway = false
      this.doubtsSettled = doubts
      this.settledAt = this.options.now()
      if (this.explained.size > 0) this.options.log('the cache is used again')
      this.explained.clear()
      this.lastReason = ''
    } catch (error) {
      this.lastReason = reasonOf(error)
      if (!(error instanceof SupersededError)) this.explain()
    }
  }

  private async confirm(registration: string, doubts: number): Promise<void> {
    const asOf = this.options.now()
    if (!(await this.source.reportInUse(registration))) throw new SupersededError()
    await this.source.catchUp(registration, doubts)
    this.confirmedAt = asOf
  }

  /** The registration of this server, which holds nothing where what it held was not known to be right. */
  private async adopt(server: string): Promise<string> {
    const { store, markerKey, generationKeys } = this.options
    const name = `${markerKey}@${server}`
    const known = await this.source.find(name)
    const [marker = null] = await store.readMany([markerKey])
    if (known && marker === known.registration) return marker
    // The server was flushed, or has evicted the marker.
    if (known?.wasUsed && marker === null) return known.registration
    const registration = known?.registration ?? (await this.source.register(name))
    if (registration === null) throw new SupersededError()
    // Several processes may do this at once: a new registration for each would make them outdate each other's again and again.
    await store.removeMany(generationKeys)
    const when = { state: 'vacant' as const, ...(marker !== null && { expected: marker }) }
    const [answer] = await store.swapMany([{ key: markerKey, when, value: registration, ttlMs: null }])
    if (!answer?.swapped && answer?.held !== registration) throw new SupersededError()
    return registration
  }

  private report(): void {
    if (!this.isSettled || !this.current) return
    this.reporting ??= this.reportInUse(this.current.registration).finally(() => {
      this.reporting = undefined
    })
  }

  private async reportInUse(registration: string): Promise<void> {
    const asOf = this.options.now()
    const doubts = this.doubts
    try {
      const stands = await withDeadline(this.source.reportInUse(registration), answerMs, () => new Error('no answer'))
      this.sourceIsAway = false
      if (doubts !== this.doubts) return
      // After a lapse, others need not have waited for this store: it may be owed what they have answered already.
      if (stands && !this.hasLapsed()) this.confirmedAt = asOf
      else this.distrust()
    } catch {
      // After a lapse it is not the source alone that was away: this process was stopped, and others did not wait for it.
      if (!this.hasLapsed()) this.sourceIsAway = true
    }
  }

  /** Once for each reason, until the store is trusted again: attempts are many. */
  private explain(): void {
    if (this.explained.has(this.lastReason)) return
    this.explained.add(this.lastReason)
    this.options.log(`the cache is not used: ${this.lastReason}`)
  }
}

/** To be tried again. */
class SupersededError extends Error {
  constructor() {
    super('another process has registered the cache meanwhile')
  }
}

/** A source that takes longer counts as away: its reads would fail, too. */
const answerMs = 1_000
