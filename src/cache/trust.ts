import type { CacheStore } from './store.js'

export interface TrustOptions {
  store: CacheStore
  /** Where it stands which server (a restart makes another one) the entries were written to */
  epochKey: string
  /** Removed when the server is another: what it holds may be from before invalidations that it no longer knows of. */
  generationKeys: readonly string[]
  /** Makes sure that every invalidation that is owed to the store has been delivered. */
  catchUp: () => Promise<void>
  retryMs: number
  sleep: (ms: number) => Promise<void>
}

/**
 * Whether what the store holds may be believed. A store that could not be reached, even for a moment, may have missed an
 * invalidation: it is doubted until it is known to be the same server and all that was owed to it has been delivered.
 */
export class Trust {
  private doubts = 1
  private doubtsSettled = 0
  private regaining: Promise<void> | undefined
  private ended = false

  constructor(private readonly options: TrustOptions) {}

  get given(): boolean {
    return this.doubts === this.doubtsSettled
  }

  /** Ends doubting as soon as the store answers and is caught up with, trying again and again in the background. */
  doubt(): void {
    this.doubts += 1
    void this.regain()
  }

  /** Resolves after the first attempt, whatever came of it. */
  async start(): Promise<void> {
    await this.attempt()
    if (!this.given) void this.regain()
  }

  end(): void {
    this.ended = true
  }

  private regain(): Promise<void> {
    this.regaining ??= this.attemptUntilGiven().finally(() => {
      this.regaining = undefined
    })
    return this.regaining
  }

  private async attemptUntilGiven(): Promise<void> {
    while (!this.given && !this.ended) {
      await this.attempt()
      if (!this.given) await this.options.sleep(this.options.retryMs)
    }
  }

  private async attempt(): Promise<void> {
    const doubts = this.doubts
    try {
      await this.options.store.ping()
      await this.adoptServer()
      await this.options.catchUp()
      this.doubtsSettled = doubts
    } catch {
      // Still doubted.
    }
  }

  private async adoptServer(): Promise<void> {
    const { store, epochKey, generationKeys } = this.options
    // With the generations: who knows fewer of them has not given up the others.
    const server = [await store.identity(), ...generationKeys].join()
    const [known] = await store.readMany([epochKey])
    if (known === server) return
    await store.removeMany(generationKeys)
    await store.swapMany([{ key: epochKey, when: { state: 'unleased' }, value: server, ttlMs: null }])
  }
}
