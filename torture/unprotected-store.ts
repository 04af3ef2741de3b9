import { type CacheStore, leaseMark, StoreUnavailableError, type Swap, type SwapAnswer } from 'cached-resolvers'
import { Redis } from 'ioredis'

/**
 * Converts the engine into a plain cache-aside: every miss fetches and sets the value, whatever happened meanwhile. No
 * invalidation messages (so no near store either), and changes of the Redis server are not noticed.
 */
export function unprotected(store: CacheStore, redisUrl: string): CacheStore {
  const client = new Redis(redisUrl, { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: 250 })
  client.on('error', () => undefined)
  return {
    backend: store.backend,
    get answering() {
      return store.answering
    },
    connect: () => store.connect(),
    close: async () => {
      client.disconnect()
      await store.close()
    },
    ping: () => store.ping(),
    sampleKeys: (count) => store.sampleKeys(count),
    readMany: (keys) => store.readMany(keys),
    swapMany: (swaps) => Promise.all(swaps.map((swap) => swapUnconditionally(store, client, swap))),
    removeMany: (keys) => store.removeMany(keys),
    identity: async () => 'whatever',
    addCounts: (key, batchId, counts, ttlMs) => store.addCounts(key, batchId, counts, ttlMs),
    readCounts: (key) => store.readCounts(key),
    info: () => store.info(),
  }
}

async function swapUnconditionally(store: CacheStore, client: Redis, swap: Swap): Promise<SwapAnswer> {
  if (swap.value.startsWith(leaseMark)) return { swapped: true }
  if (swap.when.state === 'startsWith') return setEntry(client, swap)
  const [answer] = await store.swapMany([swap])
  return answer as SwapAnswer
}

async function setEntry(client: Redis, { key, value, ttlMs }: Swap): Promise<SwapAnswer> {
  try {
    await client.set(key, value, 'PX', Math.max(1, Math.round(ttlMs ?? 0)))
    return { swapped: true }
  } catch (error) {
    throw new StoreUnavailableError('the cache server cannot be reached', { cause: error })
  }
}
