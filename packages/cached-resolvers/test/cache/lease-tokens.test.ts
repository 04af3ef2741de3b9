import { expect, test } from 'vitest'
import { createClock } from '../../../../test/helpers/clock.js'
import { Cache } from '../../src/cache/cache.js'
import { MemoryStore } from '../../src/cache/memory-store.js'
import type { Namespace } from '../../src/cache/namespace.js'

const things: Namespace<string> = { name: 'things', version: 1, softTtlMs: 60_000, graceMs: 60_000, negativeTtlMs: 10_000 }

test('the fill of a lost lease does not land on a later lease whose token has the lost one as prefix', async () => {
  const clock = createClock()
  // One token is a prefix of the other, like the 2nd and the 39th token of a process
  const tokens = ['generation', 'process-1', 'process-12']
  const cache = new Cache({
    store: new MemoryStore({ maxBytes: 1e6, now: () => performance.now() }),
    ...{ prefix: 'p', version: 'v1', namespaces: [things], near: null, leaseMs: 10_000, leaseWaitMs: 1_000 },
    fetchLimits: { maxRunning: 100, maxRunMs: 60_000, maxWaiting: 0, maxWaitMs: 0 },
    createToken: () => tokens.shift() ?? 'later',
    ...{ now: clock.now, sleep: clock.sleep, random: () => 0.5 },
  })
  await cache.connect()
  const [lost] = await cache.leaseMany(things, ['a'])
  await cache.invalidate(things, { ids: ['a'] })
  const [current] = await cache.leaseMany(things, ['a'])
  expect(current?.expected.includes('process-12')).toBe(true)
  expect(await cache.fill(things, lost as NonNullable<typeof lost>, 'old')).toBe(false)
  expect(await cache.fill(things, current as NonNullable<typeof current>, 'new')).toBe(true)
})
