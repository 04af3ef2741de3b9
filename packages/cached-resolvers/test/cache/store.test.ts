import { setTimeout as sleep } from 'node:timers/promises'
import { bundle } from '../../../../simulator/bundle.js'
import { load } from '../../../../simulator/load.js'
import { createClock } from '../../../../test/helpers/clock.js'
import { noRedis, redisOptions, startRedis } from '../../../../test/helpers/redis.js'
import { MemoryStore } from '../../src/cache/memory-store.js'
import { RedisStore } from '../../src/redis/redis-store.js'
import { describeStoreContract } from './store-contract.js'

describeStoreContract('in the process', async () => {
  const clock = createClock()
  const store = new MemoryStore({ maxBytes: 1024 * 1024, now: clock.now })
  return { store, wait: async (ms) => clock.advance(ms), stop: async () => {} }
})

describeStoreContract(
  'Redis',
  async () => {
    const redis = await startRedis()
    const store = new RedisStore({ ...redisOptions(redis.url), connections: 2 })
    return { store, wait: async (ms) => void (await sleep(ms)), stop: redis.stop }
  },
  { skip: noRedis },
)

describeStoreContract('the Redis of the simulator', async () => {
  const { createStoreSubject } = load(await bundle())
  return { ...createStoreSubject(redisOptions('redis://simulated')), stop: async () => {} }
})
