import { setImmediate as iteration } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { RequestScheduler } from '../../src/http/overload/request-scheduler.js'

/** A scheduler for requests that take `eachMs` each. `started` has a list of the requests that started in each iteration. */
function createScheduler(eachMs: number) {
  let now = 0
  const scheduler = new RequestScheduler({ targetIterationMs: 20, maxQueued: 1_000, now: () => now })
  const started: string[][] = [[]]
  const schedule = (name: string, { client = 'one', isRefused = false } = {}) =>
    scheduler.schedule(client, () => {
      if (isRefused) return false
      started.at(-1)?.push(name)
      now += eachMs
      return true
    })
  const nextIteration = async () => {
    started.push([])
    await iteration()
  }
  const connect = () => scheduler.onConnection()
  const pass = (ms: number) => {
    now += ms
  }
  return { connect, pass, schedule, nextIteration, started, lengths: () => started.map(({ length }) => length) }
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

describe('requests', () => {
  test('start at once if there are few', () => {
    const { schedule, started } = createScheduler(0)
    for (const name of names(5)) schedule(name)
    expect(started).toEqual([names(5)])
  })

  test('that are expensive start in order of arrival, fewer and fewer per iteration, and all of them start', async () => {
    const { schedule, nextIteration, started, lengths } = createScheduler(10)
    for (const name of names(100)) schedule(name)
    while (started.flat().length < 100) await nextIteration()
    expect(started.flat()).toEqual(names(100))
    const [first, second, third, ...others] = lengths()
    expect([first, second, third]).toEqual([16, 8, 4])
    expect(Math.max(...others)).toBeLessThanOrEqual(3)
  })

  test('that are cheap start in growing batches while more are waiting', async () => {
    const { schedule, nextIteration, started, lengths } = createScheduler(0.1)
    for (const name of names(200)) schedule(name)
    while (started.flat().length < 200) await nextIteration()
    expect(lengths().slice(0, 4)).toEqual([16, 17, 18, 19])
  })

  test('that are refused take a fraction of the capacity', async () => {
    const { schedule, nextIteration, started } = createScheduler(10)
    for (const name of names(16)) schedule(name)
    for (const name of names(56)) schedule(name, { isRefused: true })
    schedule('last')
    await nextIteration()
    expect(started.at(-1)).toEqual(['last'])
  })

  test('of different clients start round robin', async () => {
    const { schedule, nextIteration, started } = createScheduler(10)
    for (const name of names(100)) schedule(name)
    for (const client of ['a', 'b']) for (const name of ['1', '2']) schedule(client + name, { client })
    await nextIteration()
    expect(started.at(-1)).toEqual(['16', 'a1', 'b1', '17', 'a2', 'b2', '18', '19'])
  })

  test('start one at a time while new connections arrive, which get two thirds of the time', async () => {
    const { connect, pass, schedule, nextIteration, lengths } = createScheduler(4)
    connect()
    for (const name of names(20)) schedule(name)
    // Each connection takes a millisecond.
    for (let count = 0; count < 20; count += 1) {
      await nextIteration()
      pass(1)
      connect()
    }
    // Each request takes 5 ms with its connection, then the scheduler pauses for ten more connections.
    expect(lengths().filter((length) => length > 0)).toEqual([1, 1])
    await nextIteration()
    await nextIteration()
    expect(lengths().at(-1)).toBeGreaterThan(1)
  })

  test('are refused if their client has too many waiting', async () => {
    const { schedule, nextIteration, started } = createScheduler(0)
    const accepted = names(1_100).filter((name) => schedule(name))
    expect(accepted).toEqual(names(1_016))
    expect(schedule('of another', { client: 'other' })).toBe(true)
    while (started.flat().length < 1_017) await nextIteration()
    expect(schedule('later')).toBe(true)
  })

  test('do not overtake a waiting request', async () => {
    const { schedule, nextIteration, started } = createScheduler(10)
    for (const name of names(17)) schedule(name)
    schedule('late')
    expect(started.flat()).not.toContain('late')
    await nextIteration()
    expect(started.at(-1)).toEqual(['16', 'late'])
  })
})
