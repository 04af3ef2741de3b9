import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Load, lookEveryMs } from '../../src/http/overload/load.js'
import { createClock } from '../helpers/clock.js'

describe('the load', () => {
  const start = () => {
    const clock = createClock(0)
    const load = new Load({ maxInFlight: 2, maxDelayMs: 100, burstMs: 1_000, now: clock.now })
    /** Requests that take that long each, all read in one turn: how many of them are refused */
    const turn = async (requests: number, eachMs: number) => {
      let refused = 0
      for (let count = 0; count < requests; count += 1) {
        if (load.isLate) refused += 1
        else clock.advance(eachMs)
      }
      await nextTurn()
      await nextTurn()
      return refused
    }
    return { clock, load, turn }
  }

  test('of a burst is taken on, however long its turn takes', async () => {
    const { clock, turn } = start()
    expect(await turn(45, 20)).toBe(0)
    clock.advance(2_000)
    expect(await turn(45, 20)).toBe(0)
  })

  test('that goes on is answered as far as there is time in every turn, and no further', async () => {
    const { turn } = start()
    await turn(45, 20)
    expect(await turn(60, 20)).toBe(60 - 6)
    expect(await turn(60, 20)).toBe(60 - 6)
  })

  test('that ends is forgotten: what comes then is taken on, a burst too', async () => {
    const { clock, turn } = start()
    await turn(45, 20)
    expect(await turn(60, 20)).toBeGreaterThan(0)
    expect(await turn(5, 20)).toBe(0)
    clock.advance(2_000)
    expect(await turn(45, 20)).toBe(0)
  })

  test('that makes turns long lets fewer wait at once, and more again when they are short', () => {
    const clock = createClock(0)
    const load = new Load({ maxInFlight: 100, maxDelayMs: 100, burstMs: 1_000, now: clock.now })
    const fill = () => {
      let entered = 0
      for (; !load.isFull; entered += 1) load.enter()
      return entered
    }
    const empty = (count: number) => {
      for (let left = count; left > 0; left -= 1) load.leave()
    }
    const look = (turnMs: number) => {
      const count = fill()
      clock.advance(Math.max(turnMs, lookEveryMs))
      load.look()
      empty(count)
      return count
    }
    const burst = [400, 400, 400].map(look)
    expect(burst).toEqual([100, 100, 100])
    const standing = [400, 400, 400, 400].map(look)
    expect(standing).toEqual([70, 49, 34, 23])
    const short = Array.from({ length: 60 }, () => look(10))
    expect(short).toEqual([...short].sort((a, b) => a - b))
    expect(short.at(-1)).toBe(100)
  })

  test('is full with as many as may wait', () => {
    const { load } = start()
    load.enter()
    expect(load.isFull).toBe(false)
    load.enter()
    expect(load.isFull).toBe(true)
    load.leave()
    expect(load.isFull).toBe(false)
  })
})
