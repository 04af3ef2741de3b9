import { type ChangeSource, standalone } from './change-source.js'
import { withDeadline } from './deadline.js'
import { reasonOf } from './reason.js'
import type { CacheStore, Swap, WatchedServer } from './store.js'

export interface TrustOptions {
  store: CacheStore
  /** The key that holds the store's registration. Caches with different namespaces have their own key and registration. */
  registrationKey: string
  /**
   * The keys of the generations of all namespaces. They are removed when the store is registered again, because its entries may
   * predate invalidations that the store never received.
   */
  generationKeys: readonly string[]
  retryDelayMs: number
  /** Interval at which the trust lease is renewed */
  leaseRenewalIntervalMs: number
  /** Monotonic, in milliseconds */
  now: () => number
  sleep: (ms: number) => Promise<void>
  log: (message: string) => void
}

/**
 * Decides whether the entries of the store may be served: while this process holds a trust lease (see ChangeSource.leaseMs). The
 * source keeps every committed invalidation for a registered store, and writers wait until each store with an unexpired lease has
 * applied theirs. A store that was unreachable, even for a moment, is distrusted until all its pending invalidations have been
 * delivered. A store that the source does not know, or whose registration key does not match the source's record, is invalidated
 * completely first, in O(1).
 */
export class Trust {
  /**
   * The server that was last trusted, and its registration: this process delivers the pending invalidations of that registration.
   */
  private current: { registration: string; server: string } | undefined
  private currentEpoch = 1
  private trustedEpoch = 0
  private caughtUpAt = Number.NEGATIVE_INFINITY
  private leaseRenewedAt = Number.NEGATIVE_INFINITY
  /**
   * Whether the source failed to answer the last renewal while the lease was still valid. Entries are then served even after the
   * lease has expired: usually the source is down for all processes, and no write can be committed. If only some processes cannot
   * reach the source, the entries stay correct as long as another process that uses the same store can.
   */
  private isSourceUnavailable = false
  private restoringTrust: Promise<void> | undefined
  private leaseRenewal: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined
  private hasEnded = false
  /** The error of the last attempt to restore trust; '' if that attempt succeeded */
  private lastError = ''
  private readonly loggedReasons = new Set<string>()

  private source = standalone

  constructor(private readonly options: TrustOptions) {}

  get isTrusted(): boolean {
    return this.isCaughtUp && (this.isSourceUnavailable || !this.isLeaseExpired())
  }

  /**
   * Whether trust has been restored since the last distrust(). Ignores the lease, so it does not read the clock: for reads from
   * the near store, whose entries are valid only briefly.
   */
  get isCaughtUp(): boolean {
    return this.currentEpoch === this.trustedEpoch
  }

  /** The registration of the store at the source; undefined while the store is distrusted. */
  get registration(): string | undefined {
    return this.isTrusted ? this.current?.registration : undefined
  }

  /** Why the store is not trusted. Meaningless while it is trusted. */
  get reason(): string {
    return this.lastError || 'pending invalidations are being delivered to the cache server'
  }

  /** Incremented by each distrust(). All confirmations received in the same epoch come from the same server. */
  get epoch(): number {
    return this.currentEpoch
  }

  /** Whether this server is the trusted one. False if the registration observed on it has changed. */
  isTrustedServer({ runId, registration }: WatchedServer): boolean {
    const { current } = this
    if (!this.isTrusted || !current) return false
    const isSameServer = current.server.split(',').some((name) => name.split('/')[0] === runId)
    return isSameServer && (registration === undefined || registration === current.registration)
  }

  /**
   * Whether a query sent at `asOf` reached a server other than the trusted one, or found a different registration on it. False for
   * a query sent before trust was last restored, and while the store is distrusted.
   */
  isOtherServer(server: WatchedServer, asOf: number): boolean {
    return this.isTrusted && asOf > this.caughtUpAt && !this.isTrustedServer(server)
  }

  /** Stops serving entries of the store until trust is restored. The attempts run in the background. */
  distrust(): void {
    this.currentEpoch += 1
    void this.restoreTrust()
  }

  /** Resolves after the first attempt to restore trust, whether or not it succeeds. Further attempts run in the background. */
  async start(source: ChangeSource): Promise<void> {
    this.source = source
    await this.tryToRestoreTrust()
    if (!this.isCaughtUp) void this.restoreTrust()
    this.timer = setInterval(() => this.renewLeaseInBackground(), this.options.leaseRenewalIntervalMs)
    this.timer.unref()
  }

  async end(): Promise<void> {
    this.hasEnded = true
    clearInterval(this.timer)
    await this.leaseRenewal
    // The entries of a memory store are lost when this process ends, so the source need not keep invalidations for that store.
    if (this.options.store.backend === 'memory' && this.current)
      await this.source.unregister(this.current.registration).catch(() => undefined)
  }

  private isLeaseExpired(): boolean {
    return this.options.now() - this.leaseRenewedAt > this.source.leaseMs
  }

  private restoreTrust(): Promise<void> {
    this.restoringTrust ??= this.retryUntilCaughtUp().finally(() => {
      this.restoringTrust = undefined
    })
    return this.restoringTrust
  }

  private async retryUntilCaughtUp(): Promise<void> {
    while (!this.isCaughtUp && !this.hasEnded) {
      await this.tryToRestoreTrust()
      if (!this.isCaughtUp) await this.options.sleep(this.options.retryDelayMs)
    }
  }

  private async tryToRestoreTrust(): Promise<void> {
    const { store } = this.options
    const epoch = this.currentEpoch
    try {
      await store.ping()
      const server = await store.identity()
      const registration = await this.ensureRegistered(server)
      // If catching up took longer than the lease, other processes may have stopped waiting for this store in the meantime: renew
      // the lease and catch up again.
      do await this.renewLeaseAndCatchUp(registration, epoch)
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
      if (!(error instanceof SupersededError)) this.logDistrustOnce()
    }
  }

  private async renewLeaseAndCatchUp(registration: string, epoch: number): Promise<void> {
    const asOf = this.options.now()
    if (!(await this.source.renewLease(registration))) throw new SupersededError()
    await this.source.catchUp(registration, epoch)
    this.leaseRenewedAt = asOf
  }

  /**
   * Returns the registration of the server. Registers the server if the source does not know it, and invalidates its entries if
   * they may be outdated.
   */
  private async ensureRegistered(server: string): Promise<string> {
    const { store, registrationKey, generationKeys } = this.options
    const name = `${registrationKey}@${server}`
    const known = await this.source.find(name)
    const [stored = null] = await store.readMany([registrationKey])
    if (known && stored === known.registration) return stored
    // The registration key was flushed or evicted. The remaining entries are still valid, since this server's pending
    // invalidations were kept; the heartbeat of the watch restores the key.
    if (known?.wasUsed && stored === null) return known.registration
    const registration = known?.registration ?? (await this.source.register(name))
    if (registration === null) throw new SupersededError()
    // Several processes may get here at once. A registration that the source already has is reused: if each process created one,
    // the processes would replace one another's registrations forever.
    await store.removeMany(generationKeys)
    const when: Swap['when'] = stored === null ? { state: 'absent' } : { state: 'absentOrStartsWith', expected: stored }
    const [answer] = await store.swapMany([{ key: registrationKey, when, value: registration, ttlMs: null }])
    if (!answer?.swapped && answer?.current !== registration) throw new SupersededError()
    return registration
  }

  private renewLeaseInBackground(): void {
    if (!this.isCaughtUp || !this.current) return
    this.leaseRenewal ??= this.renewLease(this.current.registration).finally(() => {
      this.leaseRenewal = undefined
    })
  }

  private async renewLease(registration: string): Promise<void> {
    const asOf = this.options.now()
    const epoch = this.currentEpoch
    try {
      const isStillRegistered = await withDeadline(
        this.source.renewLease(registration),
        leaseRenewalTimeoutMs,
        () => new Error('the database did not answer'),
      )
      this.isSourceUnavailable = false
      if (epoch !== this.currentEpoch) return
      // If the lease expired, other processes may not have waited for this store, so it may lack invalidations of writes that they
      // have already acknowledged.
      if (isStillRegistered && !this.isLeaseExpired()) this.leaseRenewedAt = asOf
      else this.distrust()
    } catch {
      // If the lease has expired, this process was stopped for some time, and other processes may not have waited for its store.
      if (!this.isLeaseExpired()) this.isSourceUnavailable = true
    }
  }

  /** Logs each reason only once until the store is trusted again, because attempts are frequent. */
  private logDistrustOnce(): void {
    if (this.loggedReasons.has(this.lastError)) return
    this.loggedReasons.add(this.lastError)
    this.options.log(`the cache is not used: ${this.lastError}`)
  }
}

/** Another process changed the registration during an attempt to restore trust. The next attempt uses the new registration. */
class SupersededError extends Error {
  constructor() {
    super('another process registered or unregistered the cache server at the same time; trying again')
  }
}

/** A source that takes longer counts as unavailable (see isSourceUnavailable). */
const leaseRenewalTimeoutMs = 1_000
