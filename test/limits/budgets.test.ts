import { beforeEach, describe, expect, test } from 'vitest'
import { Budgets, type SyncUsage, type Usage } from '../../src/http/limits/budgets.js'
import { type Clock, createClock } from '../helpers/clock.js'
import { deferred } from '../helpers/deferred.js'

let clock: Clock
beforeEach(() => {
  clock = createClock()
})

function createBudgets(syncUsage?: SyncUsage, maxClients = 10): Budgets {
  return new Budgets({ pointsPerMinute: 600, maxClients, maxCost: 100, syncUsage, now: clock.now })
}

/** The store that all processes share: used points by client */
function createSharedUsage() {
  const used = new Map<string, number>()
  const add = ({ client, points }: Usage) => {
    used.set(client, (used.get(client) ?? 0) + points)
    return used.get(client) as number
  }
  return { used, syncUsage: async (usages: readonly Usage[]) => usages.map(add) }
}

/** Consumes until it is refused. Returns how often it succeeded. */
function consumeAll(tryConsume: () => boolean): number {
  let consumed = 0
  while (tryConsume()) consumed += 1
  return consumed
}

describe('the budget of a client, with a single process', () => {
  test('is replenished over a minute', () => {
    const budgets = createBudgets()
    expect(consumeAll(() => budgets.tryConsume('a', 1))).toBe(600)
    clock.advance(30_000)
    expect(consumeAll(() => budgets.tryConsume('a', 1))).toBe(300)
    clock.advance(3_600_000)
    expect(consumeAll(() => budgets.tryConsume('a', 1))).toBe(600)
  })

  test('may be overdrawn by one request, which takes longer to be replenished', () => {
    const budgets = createBudgets()
    expect(budgets.tryConsume('a', 599)).toBe(true)
    expect(budgets.tryConsume('a', 101)).toBe(true)
    expect(budgets.tryConsume('a', 1)).toBe(false)
    const seconds = budgets.secondsToWait('a')
    clock.advance((seconds - 1) * 1_000)
    expect(budgets.tryConsume('a', 1)).toBe(false)
    clock.advance(1_000)
    expect(budgets.secondsToWait('a')).toBe(0)
    expect(budgets.tryConsume('a', 1)).toBe(true)
  })

  test('is far overdrawn if the client owes more than one request can have cost, until a part is replenished', () => {
    const budgets = createBudgets()
    budgets.charge('a', 600 + 1_600)
    expect(budgets.isFarOverdrawn('a')).toBe(false)
    budgets.charge('a', 1)
    expect([budgets.isFarOverdrawn('a'), budgets.isFarOverdrawn('b')]).toEqual([true, false])
    clock.advance(100)
    expect(budgets.isFarOverdrawn('a')).toBe(false)
    expect(budgets.tryConsume('a', 1)).toBe(false)
  })

  test('is overdrawn by at most twice that, whatever is charged', () => {
    const budgets = createBudgets()
    budgets.charge('a', 1_000_000)
    expect(budgets.remaining('a')).toBe(-3_200)
  })

  test('is independent of other clients', () => {
    const budgets = createBudgets()
    budgets.tryConsume('a', 600)
    expect(budgets.tryConsume('a', 1)).toBe(false)
    expect(budgets.tryConsume('b', 1)).toBe(true)
  })

  test('is refunded by a negative charge', () => {
    const budgets = createBudgets()
    budgets.tryConsume('a', 600)
    budgets.charge('a', -600)
    expect(budgets.remaining('a')).toBe(600)
  })

  test('is forgotten if there are too many clients', () => {
    const budgets = createBudgets(undefined, 2)
    for (const client of ['a', 'b', 'c']) budgets.tryConsume(client, 600)
    expect(budgets.tryConsume('a', 1)).toBe(true)
    expect(budgets.tryConsume('c', 1)).toBe(false)
  })
})

describe('with several processes', () => {
  test('each lets a client exceed its budget by at most a twentieth', async () => {
    const { syncUsage } = createSharedUsage()
    const all = Array.from({ length: 4 }, () => createBudgets(syncUsage))
    let consumed = 0
    for (let round = 0; round < 100; round += 1) {
      for (const budgets of all) {
        consumed += consumeAll(() => budgets.tryConsumeLocally('a', 1))
        await budgets.ensureSynced('a')
      }
    }
    expect(consumed).toBeGreaterThanOrEqual(600)
    expect(consumed).toBeLessThanOrEqual(600 + 4 * 30)
  })

  test('a process learns the usage of the others when it shares its own', async () => {
    const { syncUsage, used } = createSharedUsage()
    const [one, other] = [createBudgets(syncUsage), createBudgets(syncUsage)]
    one.tryConsume('a', 500)
    await one.sync()
    other.tryConsume('a', 99)
    expect(other.remaining('a')).toBe(501)
    await other.sync()
    expect(other.remaining('a')).toBe(1)
    expect(used.get('a')).toBe(599)
  })

  test('points used during a sync are shared the next time, exactly once', async () => {
    const { syncUsage, used } = createSharedUsage()
    const blocked = deferred<void>()
    const budgets = createBudgets(async (usages) => {
      await blocked.promise
      return syncUsage(usages)
    })
    budgets.tryConsume('a', 10)
    const syncing = budgets.sync()
    budgets.tryConsume('a', 5)
    blocked.resolve()
    await syncing
    expect(used.get('a')).toBe(10)
    expect(budgets.remaining('a')).toBe(585)
    await budgets.sync()
    expect(used.get('a')).toBe(15)
    await budgets.sync()
    expect(used.get('a')).toBe(15)
  })

  test('a process that cannot share usage decides alone, and later shares only what is not replenished yet', async () => {
    const { syncUsage, used } = createSharedUsage()
    let isUnavailable = true
    const budgets = createBudgets((usages) => (isUnavailable ? Promise.reject(new Error('unavailable')) : syncUsage(usages)))
    expect(consumeAll(() => budgets.tryConsume('a', 1))).toBe(600)
    await budgets.ensureSynced('a')
    clock.advance(30_000)
    expect(consumeAll(() => budgets.tryConsumeLocally('a', 1))).toBe(300)
    clock.advance(45_000)
    budgets.tryConsume('a', 1)
    isUnavailable = false
    await budgets.sync()
    expect(used.get('a')).toBe(151)
  })
})
