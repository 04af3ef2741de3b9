import { RedisStore } from '../../src/cache/redis-store.js'
import type { Watcher } from '../../src/cache/store.js'
import { sharedClockMs } from './clock.js'
import { every } from './every.js'
import { probeKeyPrefix, storeOptions } from './items.js'
import { watchByTracking } from './tracking.js'
import type { Variant } from './variants.js'

/** A store whose news comes by one of the variants, and is counted. Only the bus pays for publishing. */
export class MeasuredStore extends RedisStore {
  messages = 0
  keysTold = 0
  /** How often news was thought to be missing; nothing is broken here, so it should not be */
  emptied = 0
  readonly counts = new Map<string, number>()
  readonly probesHeard = new Map<string, number>()
  readonly firstUpToDate: Promise<void>
  private upToDate: () => void = () => {}

  constructor(
    private readonly url: string,
    private readonly variant: Variant,
  ) {
    super(storeOptions(url))
    this.firstUpToDate = new Promise((resolve) => {
      this.upToDate = resolve
    })
  }

  override async removeMany(keys: readonly string[]): Promise<void> {
    if (this.variant === 'bus') return super.removeMany(keys)
    await this.connection().unlink([...keys])
  }

  override async addCounts(...[key, batchId, counts, ttlMs]: Parameters<RedisStore['addCounts']>): Promise<void> {
    for (const [name, count] of counts) this.counts.set(name, (this.counts.get(name) ?? 0) + count)
    await super.addCounts(key, batchId, counts, ttlMs)
  }

  override watch(watcher: Watcher): { stop: () => void } {
    const counting = this.counting(watcher)
    if (this.variant === 'bus') return super.watch(counting)
    if (this.variant === 'blind') return every(() => counting.upToDate(counting.now()))
    return watchByTracking({ url: this.url, reader: this.connection(), mode: this.variant, watcher: counting })
  }

  private counting(watcher: Watcher): Watcher {
    return {
      removed: (keys) => {
        this.hear(keys)
        watcher.removed(keys)
      },
      missed: () => {
        this.emptied += 1
        watcher.missed()
      },
      lost: () => watcher.lost(),
      upToDate: (asOf) => {
        watcher.upToDate(asOf)
        this.upToDate()
      },
      now: () => watcher.now(),
    }
  }

  private hear(keys: readonly string[]): void {
    this.messages += 1
    this.keysTold += keys.length
    for (const key of keys) {
      if (!key.startsWith(probeKeyPrefix)) continue
      const id = key.slice(probeKeyPrefix.length)
      if (!this.probesHeard.has(id)) this.probesHeard.set(id, sharedClockMs())
    }
  }

  private connection() {
    // biome-ignore lint/complexity/useLiteralKeys: private, and the measurement may look
    const [client] = this['clients']
    if (!client || client.isCluster) throw new Error('measured with one connection to one server')
    return client
  }
}
