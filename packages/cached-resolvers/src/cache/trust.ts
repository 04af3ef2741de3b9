import { type ChangeSource, standalone } from './change-source.js'
import { withDeadline } from './deadline.js'
import { reasonOf } from './reason.js'
import type { CacheStore, Swap, WatchedServer } from './store.js'

export interface TrustOptions {
  store: CacheStore
  /** The key that holds the store's registration. Caches with different namespaces have different keys and registrations. */
  registrationKey: string
  /**
   * One key for each namespace, which holds its generation. Removing a generation invalidates all entries of its namespace. All are
   * removed when the store is registered again, because its entries may predate invalidations that the store never received.
   */
  generationKeys: readonly string[]
  retryDelayMs: number
  /** Interval at which the trust lease is renewed */
  leaseRenewalIntervalMs: number
  /** Monotonic, in milliseconds */
  now: () => number
  sleep: (ms: number) => Promise<void>
  log: (message: string, level: 'info' | 'warn') => void
}

/**
 * Decides whether the entries of the store may be served. This process may serve them while it holds a trust lease (see
 * ChangeSource.leaseMs). The source keeps every committed invalidation until each registered store has confirmed it. A writer waits
 * until each store with an unexpired lease has applied the invalidations of the writer. A store that was unreachable, even for a
 * moment, is distrusted until all its pending invalidations have been delivered. A store that the source does not know, or whose
 * registration key contains a different registration, is invalidated completely first, in O(1). If the registration key is missing,
 * it was evicted or flushed, and the entries that remain are valid. Exception: if no process has ever held a trust lease under this
 * registration, the entries may be older than the registration, and the store is invalidated.
 */
export class Trust {
  /**
   * The server that was last trusted (see CacheStore.identity), and its registration. This process delivers the pending
   * invalidations of this registration.
   */
  private lastTrusted: { registration: string; identity: string } | undefined
  private currentEpoch = 1
  private trustedEpoch = 0
  private caughtUpAt = Number.NEGATIVE_INFINITY
  private leaseRenewedAt = Number.NEGATIVE_INFINITY
  /**
   * Set when a renewal fails while the lease is valid; reset when a renewal is answered or trust is restored. While it is set,
   * entries are served even after the lease has expired, because usually the source is down for all processes, so no write can be
   * committed. If only some processes cannot reach the source, their entries stay correct as long as another process of the same
   * store can reach the source and delivers the invalidations.
   */
  private isSourceUnavailable = false
  private restoringTrust: Promise<void> | undefined
  private leaseRenewal: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined
  private hasEnded = false
  /** Why the last attempt to restore trust failed; '' if the attempt succeeded */
  private lastFailureReason = ''
  /** Start of the current series of attempts that all failed for lastFailureReason */
  private failureReasonSince = Number.NEGATIVE_INFINITY
  /**
   * When the store last changed from trusted to distrusted; undefined if it never has. Further calls of distrust() do not count.
   */
  private lastTrustLostAt: number | undefined
  /** The reasons that were logged since the store was last trusted */
  private readonly loggedReasons = new Set<string>()

  private source = standalone

  constructor(private readonly options: TrustOptions) {}

  get isTrusted(): boolean {
    return this.isCaughtUp && (this.isSourceUnavailable || !this.isLeaseExpired())
  }

  /**
   * Whether trust has been restored since the last distrust(). Ignores the lease and therefore does not read the clock. This
   * suffices for reads from the near store, whose entries are valid only briefly.
   */
  get isCaughtUp(): boolean {
    return this.currentEpoch === this.trustedEpoch
  }

  /** The registration of the store at the source; undefined while the store is distrusted. */
  get registration(): string | undefined {
    return this.isTrusted ? this.lastTrusted?.registration : undefined
  }

  /** Why the store is not trusted. Meaningless while the store is trusted. */
  get reason(): string {
    return this.lastFailureReason || 'pending invalidations are being delivered to the cache server'
  }

  /**
   * Number of the current epoch. Each distrust() begins a new epoch. A change of the server always leads to distrust(), so all
   * confirmations received in one epoch come from one server.
   */
  get epoch(): number {
    return this.currentEpoch
  }

  /**
   * Whether this server is the trusted one. False if its registration key was missing or held a different registration (if it was not
   * read, only the run ids are compared), and while the store is distrusted.
   */
  isTrustedServer({ runId, registration }: WatchedServer): boolean {
    const { lastTrusted } = this
    if (!this.isTrusted || !lastTrusted) return false
    const trustedRunIds = lastTrusted.identity.split(',').map((identity) => identity.split('/')[0])
    return trustedRunIds.includes(runId) && (registration === undefined || registration === lastTrusted.registration)
  }

  /**
   * Whether the server that answered a heartbeat (a periodic command of CacheStore.watch()) is certainly not the trusted one, or has
   * lost or changed its registration. `asOf` is when the heartbeat was sent. False for a heartbeat sent before trust was last restored,
   * and while the store is distrusted: this is not the negation of isTrustedServer().
   */
  isProvenOtherServer(server: WatchedServer, asOf: number): boolean {
    return this.isTrusted && asOf > this.caughtUpAt && !this.isTrustedServer(server)
  }

  /** Stops serving entries of the store until trust is restored. Attempts to restore trust run in the background. */
  distrust(): void {
    if (this.isCaughtUp) this.lastTrustLostAt = this.options.now()
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
    // The entries of a memory store are lost when this process ends, so the source need not keep invalidations for this store.
    if (this.options.store.backend === 'memory' && this.lastTrusted)
      await this.source.unregister(this.lastTrusted.registration).catch(() => undefined)
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
      const identity = await store.identity()
      const registration = await this.ensureRegistered(identity)
      // If catching up took longer than the lease, writers may have stopped waiting for this store in the meantime. Renew the
      // lease and catch up again.
      do await this.renewLeaseAndCatchUp(registration, epoch)
      while (this.isLeaseExpired())
      this.lastTrusted = { registration, identity }
      this.isSourceUnavailable = false
      this.trustedEpoch = epoch
      this.caughtUpAt = this.options.now()
      if (this.loggedReasons.size > 0) this.options.log('the cache is used again', 'info')
      this.loggedReasons.clear()
      this.lastFailureReason = ''
    } catch (error) {
      const reason = reasonOf(error)
      if (reason !== this.lastFailureReason) this.failureReasonSince = this.options.now()
      this.lastFailureReason = reason
      if (!(error instanceof SupersededError)) this.logDistrust()
    }
  }

  private async renewLeaseAndCatchUp(registration: string, epoch: number): Promise<void> {
    const asOf = this.options.now()
    if (!(await this.source.renewLease(registration))) throw new SupersededError()
    await this.source.catchUp(registration, epoch)
    this.leaseRenewedAt = asOf
  }

  /**
   * Returns the registration of the store on the server with this identity. Registers the store if the source does not know it,
   * and invalidates its entries if they may be outdated.
   */
  private async ensureRegistered(identity: string): Promise<string> {
    const { store, registrationKey, generationKeys } = this.options
    const name = `${registrationKey}@${identity}`
    const known = await this.source.find(name)
    const [stored = null] = await store.readMany([registrationKey])
    if (known && stored === known.registration) return stored
    // The registration key was flushed or evicted. The remaining entries are still valid, because the pending invalidations of
    // this registration were kept. The heartbeat of the watch restores the key.
    if (known?.wasUsed && stored === null) return known.registration
    // Several processes may get here at the same time. A registration that the source already has is reused, because if each
    // process created one, the processes would replace one another's registrations forever.
    const registration = known?.registration ?? (await this.source.register(name))
    if (registration === null) throw new SupersededError()
    // The entries may predate invalidations that the store never received.
    await store.removeMany(generationKeys)
    const when: Swap['when'] = stored === null ? { state: 'absent' } : { state: 'absentOrStartsWith', expected: stored }
    const [answer] = await store.swapMany([{ key: registrationKey, when, value: registration, ttlMs: null }])
    if (!answer?.swapped && answer?.current !== registration) throw new SupersededError()
    return registration
  }

  private renewLeaseInBackground(): void {
    if (!this.isCaughtUp || !this.lastTrusted) return
    this.leaseRenewal ??= this.renewLease(this.lastTrusted.registration).finally(() => {
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
      // If the lease expired before the renewal was answered, entries must not simply be served again: meanwhile writers did not wait
      // for this store, so it may lack invalidations of writes that were already acknowledged.
      if (isStillRegistered && !this.isLeaseExpired()) this.leaseRenewedAt = asOf
      else this.distrust()
    } catch {
      // If the lease has already expired, for example because this process was stopped for some time, the store may lack
      // invalidations of writes that were already acknowledged. Entries are then served only if the source was already unavailable
      // while the lease was valid.
      if (!this.isLeaseExpired()) this.isSourceUnavailable = true
    }
  }

  /**
   * Logs the first reason of an outage. Logs a further reason only if attempts keep failing for it for `laterReasonMs`: a server that
   * restarts fails in several ways within seconds, but a server that came back with another password must be reported. Logs nothing
   * in the first `firstReasonDelayMs` after trust was lost: the attempts to reconnect give a more useful reason than the lost connection.
   */
  private logDistrust(): void {
    if (this.loggedReasons.has(this.lastFailureReason)) return
    const now = this.options.now()
    const isFirst = this.loggedReasons.size === 0
    if (isFirst && this.lastTrustLostAt !== undefined && now - this.lastTrustLostAt < firstReasonDelayMs) return
    if (!isFirst && now - this.failureReasonSince < laterReasonMs) return
    this.loggedReasons.add(this.lastFailureReason)
    this.options.log(
      `the cache is not used: ${this.lastFailureReason}. Until it can be used, values come from the database. Will keep trying`,
      'warn',
    )
  }
}

/** Another process changed the registration during an attempt to restore trust. The next attempt uses the new registration. */
class SupersededError extends Error {
  constructor() {
    super('another process registered or unregistered the cache server at the same time; trying again')
  }
}

/** Delay after the loss of trust before a reason is logged */
const firstReasonDelayMs = 300
/** How long another reason must last in the same outage before it is logged */
const laterReasonMs = 3_000
/** A source that takes longer to renew the lease counts as unavailable (see isSourceUnavailable). */
const leaseRenewalTimeoutMs = 1_000
