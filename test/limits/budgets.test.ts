import { beforeEach, describe, expect, test } from 'vitest'
import { Budgets, type Share, type Use } from '../../src/http/limits/budgets.js'
import { type Clock, createClock } from '../helpers/clock.js'
import { deferred } from '../helpers/deferred.js'

let clock: Clock
beforeEach(() => {
  clock = createClock()
})

function createBudgets(share?: Share, maxClients = 10): Budgets {
  return new Budgets({ pointsPerMinute: 600, maxClients, maxCost: 100, share, now: clock.now })
}

/** What all processes have in common: sums, by client. */
function createShared() {
  const used = new Map<string, number>()
  const add = ({ client, points }: Use) => {
    used.set(client, (used.get(client) ?? 0) + points)
    return used.get(client) as number
  }
  return { used, share: async (uses: readonly Use[]) => uses.map(add) }
}

function takeAll(take: () => boolean): number {
  let taken = 0
  while (take()) taken += 1
  return taken
}

describe('the budget of a client, in a process by itself', () => {
  test('is given back over a minute', () => {
    const budgets = createBudgets()
    expect(takeAll(() => budgets.take('a', 1))).toBe(600)
    clock.advance(30_000)
    expect(takeAll(() => budgets.take('a', 1))).toBe(300)
    clock.advance(3_600_000)
    expect(takeAll(() => budgets.take('a', 1))).toBe(600)
  })

  test('may be overdrawn by one request, which takes longer to be forgiven', () => {
    const budgets = createBudgets()
    expect(budgets.take('a', 599)).toBe(true)
    expect(budgets.take('a', 101)).toBe(true)
    expect(budgets.take('a', 1)).toBe(false)
    const seconds = budgets.secondsToWait('a')
    clock.advance((seconds - 1) * 1_000)
    expect(budgets.take('a', 1)).toBe(false)
    clock.advance(1_000)
    expect(budgets.secondsToWait('a')).toBe(0)
    expect(budgets.take('a', 1)).toBe(true)
  })

  test('is far beyond when the client owes more than a request can have cost, and so only until a part is forgiven', () => {
    const budgets = createBudgets()
    budgets.charge('a', 600 + 1_600)
    expect(budgets.isFarBeyond('a')).toBe(false)
    budgets.charge('a', 1)
    expect([budgets.isFarBeyond('a'), budgets.isFarBeyond('b')]).toEqual([true, false])
    clock.advance(100)
    expect(budgets.isFarBeyond('a')).toBe(false)
    expect(budgets.take('a', 1)).toBe(false)
  })

  test('owes no more than twice that, whatever it is charged', () => {
    const budgets = createBudgets()
    budgets.charge('a', 1_000_000)
    expect(budgets.remaining('a')).toBe(-3_200)
  })

  test('is nobody else’s', () => {
    const budgets = createBudgets()
    budgets.take('a', 600)
    expect(budgets.take('a', 1)).toBe(false)
    expect(budgets.take('b', 1)).toBe(true)
  })

  test('has again what was taken in vain', () => {
    const budgets = createBudgets()
    budgets.take('a', 600)
    budgets.charge('a', -600)
    expect(budgets.remaining('a')).toBe(600)
  })

  test('is forgotten where there are too many clients', () => {
    const budgets = createBudgets(undefined, 2)
    for (const client of ['a', 'b', 'c']) budgets.take(client, 600)
    expect(budgets.take('a', 1)).toBe(true)
    expect(budgets.take('c', 1)).toBe(false)
  })
})

describe('of several processes', () => {
  test('each lets pass a twentieth, at most, that the others do not know of', async () => {
    const { share } = createShared()
    const all = Array.from({ length: 4 }, () => createBudgets(share))
    let taken = 0
    for (let round = 0; round < 100; round += 1) {
      for (const budgets of all) {
        taken += takeAll(() => budgets.takeAtOnce('a', 1))
        await budgets.know('a')
      }
    }
    expect(taken).toBeGreaterThanOrEqual(600)
    expect(taken).toBeLessThanOrEqual(600 + 4 * 30)
  })

  test('one learns what the others let pass when it tells', async () => {
    const { share, used } = createShared()
    const [one, other] = [createBudgets(share), createBudgets(share)]
    one.take('a', 500)
    await one.tell()
    other.take('a', 99)
    expect(other.remaining('a')).toBe(501)
    await other.tell()
    expect(other.remaining('a')).toBe(1)
    expect(used.get('a')).toBe(599)
  })

  test('what is used while one tells is told the next time, and once', async () => {
    const { share, used } = createShared()
    const gate = deferred<void>()
    const budgets = createBudgets(async (uses) => {
      await gate.promise
      return share(uses)
    })
    budgets.take('a', 10)
    const telling = budgets.tell()
    budgets.take('a', 5)
    gate.resolve()
    await telling
    expect(used.get('a')).toBe(10)
    expect(budgets.remaining('a')).toBe(585)
    await budgets.tell()
    expect(used.get('a')).toBe(15)
    await budgets.tell()
    expect(used.get('a')).toBe(15)
  })

  test('one that cannot tell decides by itself, and tells later, but not of what is long forgiven', async () => {
    const { share, used } = createShared()
    let isAway = true
    const budgets = createBudgets((uses) => (isAway ? Promise.reject(new Error('away')) : share(uses)))
    expect(takeAll(() => budgets.take('a', 1))).toBe(600)
    await budgets.know('a')
    clock.advance(30_000)
    expect(takeAll(() => budgets.takeAtOnce('a', 1))).toBe(300)
    clock.advance(45_000)
    budgets.take('a', 1)
    isAway = false
    await budgets.tell()
    expect(used.get('a')).toBe(151)
  })
})
