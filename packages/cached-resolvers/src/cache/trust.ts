import { type ChangeSource, standalone } from './change-source.js'
import { withDeadline } from './deadline.js'
import { reasonOf } from './reason.js'
import type { CacheStore, WatchedServer } from './store.js'

export interface TrustOptions {
  store: CacheStore
  /** The key that holds the store's registration. Caches with different namespaces have their own key and registration. */
  registrationKey: string
  /** Removed when the store is registered again: its entries may be older than invalidations that it never received */
  generationKeys: readonly string[]
  retryDelayMs: number
  /** How often the source is notified that the store is in use */
  reportIntervalMs: number
  /** Monotonic, in milliseconds */
  now: () => number
  sleep: (ms: number) => Promise<void>
  log: (message: string) => void
}

/**
 * Decides whether the entries of the store may be served. They may while the source knows that the store is in use, as it then
 * keeps every committed invalidation for the store. A store that was unreachable, even for a moment, is distrusted until all its
 * pending invalidations have been delivered. A store that is not registered, or holds another registration than its own, is first
 * invalidated as a whole, in O(1).
 */
export class Trust {
  /** Set by the last successful attempt. This process delivers the pending invalidations of this registration. */
  private current: { registration: string; server: string } | undefined
  private currentEpoch = 1
  private trustedEpoch = 0
  private caughtUpAt = Number.NEGATIVE_INFINITY
  private leaseRenewedAt = Number.NEGATIVE_INFINITY
  /** The source did not answer the last report. Nothing can be decided then, so entries are still served. */
  private isSourceUnavailable = false
  private restoringTrust: Promise<void> | undefined
  private reporting: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined
  private hasEnded = false
  /** The error of the last attempt; '' if it succeeded */
  private lastError = ''
  private readonly loggedReasons = new Set<string>()

  private source = standalone

  constructor(private readonly options: TrustOptions) {}

  get isTrusted(): boolean {
    return this.isCaughtUp && (this.isSourceUnavailable || !this.isLeaseExpired())
  }

  /**
   * Whether no distrust is pending. Cheaper than `isTrusted`, as it does not read the clock: for reads of the near store, whose
   * own validity is short.
   */
  get isCaughtUp(): boolean {
    return this.currentEpoch === this.trustedEpoch
  }

  /** The registration of the store at the source; undefined while the store is distrusted. */
  get registration(): string | undefined {
    return this.isTrusted ? this.current?.registration : undefined
  }

  /** Why the store is not trusted */
  get reason(): string {
    return this.lastError || 'pending invalidations are being delivered to it'
  }

  /** Incremented by each distrust. While it is unchanged, all confirmations come from the same server. */
  get epoch(): number {
    return this.currentEpoch
  }

  /** Whether this is the trusted server, and it still holds the same registration. */
  isTrustedServer({ runId, registration }: WatchedServer): boolean {
    const { current } = this
    if (!this.isTrusted || !current) return false
    const isSameServer = current.server.split(',').some((name) => name.split('/')[0] === runId)
    return isSameServer && (registration === undefined || registration === current.registration)
  }

  /**
   * Whether this is another server, or one with another registration, as observed by a query sent at `asOf`. Observations from
   * before the current server was trusted are ignored.
   */
  isOtherServer(server: WatchedServer, asOf: number): boolean {
    return this.isTrusted && asOf > this.caughtUpAt && !this.isTrustedServer(server)
  }

  /** Distrusts the store until it answers and has been caught up with; this is retried in the background. */
  distrust(): void {
    this.currentEpoch += 1
    void this.restoreTrust()
  }

  /** Resolves after the first attempt, successful or not. */
  async start(source: ChangeSource): Promise<void> {
    this.source = source
    await this.attempt()
    if (!this.isCaughtUp) void this.restoreTrust()
    this.timer = setInterval(() => this.reportPeriodically(), this.options.reportIntervalMs)
    this.timer.unref()
  }

  async end(): Promise<void> {
    this.hasEnded = true
    clearInterval(this.timer)
    await this.reporting
    // The content of a store in memory is lost with this process.
    if (this.options.store.backend === 'memory' && this.current)
      await this.source.unregister(this.current.registration).catch(() => undefined)
  }

  private isLeaseExpired(): boolean {
    return this.options.now() - this.leaseRenewedAt > this.source.leaseMs
  }

  private restoreTrust(): Promise<void> {
    this.restoringTrust ??= this.attemptUntilCaughtUp().finally(() => {
      this.restoringTrust = undefined
    })
    return this.restoringTrust
  }

  private async attemptUntilCaughtUp(): Promise<void> {
    while (!this.isCaughtUp && !this.hasEnded) {
      await this.attempt()
      if (!this.isCaughtUp) await this.options.sleep(this.options.retryDelayMs)
    }
  }

  private async attempt(): Promise<void> {
    const { store } = this.options
    const epoch = this.currentEpoch
    try {
      await store.ping()
      const server = await store.identity()
      const registration = await this.ensureRegistered(server)
      // If catching up took longer than the lease, other processes need not have waited for this store: report and catch up
      // again.
      do await this.reportAndCatchUp(registration, epoch)
      while (this.isLeaseExpired())
      this.current = { registration, server }
      this.isSourceUnavailable = false
      this.trustedEpoch = epoch
      this.caughtUpAt = this.options.now()
      if (this.loggedReasons.size > 0) this.options.log('the cache is used again')
      this.loggedReasons.clear()
      this.lastError = ''
    } catch (error) {
      this.lastError = reasonOf(error)
      if (!(error instanceof SupersededError)) this.logOnce()
    }
  }

  private async reportAndCatchUp(registration: string, epoch: number): Promise<void> {
    const asOf = this.options.now()
    if (!(await this.source.reportInUse(registration))) throw new SupersededError()
    await this.source.catchUp(registration, epoch)
    this.leaseRenewedAt = asOf
  }

  /** Returns the registration of this server. Registers it if necessary, and invalidates its entries if they may be outdated. */
  private async ensureRegistered(server: string): Promise<string> {
    const { store, registrationKey, generationKeys } = this.options
    const name = `${registrationKey}@${server}`
    const known = await this.source.find(name)
    const [stored = null] = await store.readMany([registrationKey])
    if (known && stored === known.registration) return stored
    // The server was flushed, or has evicted the registration key.
    if (known?.wasUsed && stored === null) return known.registration
    const registration = known?.registration ?? (await this.source.register(name))
    if (registration === null) throw new SupersededError()
    // Several processes may do this at once: if each created a registration, they would replace each other's over and over.
    await store.removeMany(generationKeys)
    const when = { state: 'vacant' as const, ...(stored !== null && { expected: stored }) }
    const [answer] = await store.swapMany([{ key: registrationKey, when, value: registration, ttlMs: null }])
    if (!answer?.swapped && answer?.current !== registration) throw new SupersededError()
    return registration
  }

  private reportPeriodically(): void {
    if (!this.isCaughtUp || !this.current) return
    this.reporting ??= this.reportInUse(this.current.registration).finally(() => {
      this.reporting = undefined
    })
  }

  private async reportInUse(registration: string): Promise<void> {
    const asOf = this.options.now()
    const epoch = this.currentEpoch
    try {
      const isStillRegistered = await withDeadline(
        this.source.reportInUse(registration),
        reportTimeoutMs,
        () => new Error('the database did not answer'),
      )
      this.isSourceUnavailable = false
      if (epoch !== this.currentEpoch) return
      // If the lease expired, other processes need not have waited for this store: it may lack invalidations of writes that they
      // answered already.
      if (isStillRegistered && !this.isLeaseExpired()) this.leaseRenewedAt = asOf
      else this.distrust()
    } catch {
      // If the lease expired, this process was stopped for some time, and other processes did not wait for it.
      if (!this.isLeaseExpired()) this.isSourceUnavailable = true
    }
  }

  /** Logs each reason once until the store is trusted again, as attempts are frequent. */
  private logOnce(): void {
    if (this.loggedReasons.has(this.lastError)) return
    this.loggedReasons.add(this.lastError)
    this.options.log(`the cache is not used: ${this.lastError}`)
  }
}

/** The attempt is retried. */
class SupersededError extends Error {
  constructor() {
    super('another process registered the cache server at the same time')
  }
}

/** A source that takes longer counts as unavailable: its reads would fail, too. */
const reportTimeoutMs = 1_000
