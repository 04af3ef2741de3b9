import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Turns } from '../../src/http/overload/turns.js'

/** Requests that each take so long once they have begun, and when they began: one list for each turn */
function createTurns(takesMs: number) {
  let now = 0
  const turns = new Turns({ longMs: 20, maxWaiting: 1_000, now: () => now })
  const begun: string[][] = [[]]
  const wait = (name: string, { client = 'one', isRefused = false } = {}) =>
    turns.wait(client, () => {
      if (isRefused) return false
      begun.at(-1)?.push(name)
      now += takesMs
      return true
    })
  const nextTurn = async () => {
    begun.push([])
    await turn()
  }
  const connect = () => turns.connected()
  const pass = (ms: number) => {
    now += ms
  }
  return { connect, pass, wait, nextTurn, begun, lengths: () => begun.map(({ length }) => length) }
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

describe('requests', () => {
  test('that are few begin at once', () => {
    const { wait, begun } = createTurns(0)
    for (const name of names(5)) wait(name)
    expect(begun).toEqual([names(5)])
  })

  test('that are dear begin in the order of their arrival, ever fewer in a turn, and all of them do', async () => {
    const { wait, nextTurn, begun, lengths } = createTurns(10)
    for (const name of names(100)) wait(name)
    while (begun.flat().length < 100) await nextTurn()
    expect(begun.flat()).toEqual(names(100))
    const [first, second, third, ...others] = lengths()
    expect([first, second, third]).toEqual([16, 8, 4])
    expect(Math.max(...others)).toBeLessThanOrEqual(3)
  })

  test('that are cheap begin more at a time, the more wait', async () => {
    const { wait, nextTurn, begun, lengths } = createTurns(0.1)
    for (const name of names(200)) wait(name)
    while (begun.flat().length < 200) await nextTurn()
    expect(lengths().slice(0, 4)).toEqual([16, 17, 18, 19])
  })

  test('that are refused take little of a turn', async () => {
    const { wait, nextTurn, begun } = createTurns(10)
    for (const name of names(16)) wait(name)
    for (const name of names(56)) wait(name, { isRefused: true })
    wait('last')
    await nextTurn()
    expect(begun.at(-1)).toEqual(['last'])
  })

  test('of one client wait for those of others no longer than for one of each', async () => {
    const { wait, nextTurn, begun } = createTurns(10)
    for (const name of names(100)) wait(name)
    for (const client of ['a', 'b']) for (const name of ['1', '2']) wait(client + name, { client })
    await nextTurn()
    expect(begun.at(-1)).toEqual(['16', 'a1', 'b1', '17', 'a2', 'b2', '18', '19'])
  })

  test('begin one at a time while new connections come, which have two thirds of the time', async () => {
    const { connect, pass, wait, nextTurn, lengths } = createTurns(4)
    connect()
    for (const name of names(20)) wait(name)
    // A millisecond for each connection
    for (let count = 0; count < 20; count += 1) {
      await nextTurn()
      pass(1)
      connect()
    }
    // Each takes 5 ms with its connection, and then ten more have come.
    expect(lengths().filter((length) => length > 0)).toEqual([1, 1])
    await nextTurn()
    await nextTurn()
    expect(lengths().at(-1)).toBeGreaterThan(1)
  })

  test('of which a client has very many waiting are refused', async () => {
    const { wait, nextTurn, begun } = createTurns(0)
    const taken = names(1_100).filter((name) => wait(name))
    expect(taken).toEqual(names(1_016))
    expect(wait('of another', { client: 'other' })).toBe(true)
    while (begun.flat().length < 1_017) await nextTurn()
    expect(wait('later')).toBe(true)
  })

  test('do not overtake one that waits', async () => {
    const { wait, nextTurn, begun } = createTurns(10)
    for (const name of names(17)) wait(name)
    wait('late')
    expect(begun.flat()).not.toContain('late')
    await nextTurn()
    expect(begun.at(-1)).toEqual(['16', 'late'])
  })
})
