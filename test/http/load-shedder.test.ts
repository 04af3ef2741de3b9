import { setImmediate as nextIteration } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { LoadShedder, sampleIntervalMs } from '../../src/http/overload/load-shedder.js'
import { createClock } from '../helpers/clock.js'

describe('the load shedder', () => {
  const start = () => {
    const clock = createClock(0)
    const shedder = new LoadShedder({ maxInFlight: 2, maxDelayMs: 100, burstMs: 1_000, now: clock.now })
    /**
     * Handles requests that take `eachMs` each in one iteration of the event loop. Resolves with the number of refused requests.
     */
    const iteration = async (requests: number, eachMs: number) => {
      let refused = 0
      for (let count = 0; count < requests; count += 1) {
        if (shedder.checkOverload()) refused += 1
        else clock.advance(eachMs)
      }
      await nextIteration()
      await nextIteration()
      return refused
    }
    return { clock, shedder, iteration }
  }

  test('admits a burst, however long its iteration takes', async () => {
    const { clock, iteration } = start()
    expect(await iteration(45, 20)).toBe(0)
    clock.advance(2_000)
    expect(await iteration(45, 20)).toBe(0)
  })

  test('admits, under sustained load, as many requests per iteration as fit into the maximum delay', async () => {
    const { iteration } = start()
    await iteration(45, 20)
    expect(await iteration(60, 20)).toBe(60 - 6)
    expect(await iteration(60, 20)).toBe(60 - 6)
  })

  test('admits requests again after overload has ended, even a burst', async () => {
    const { clock, iteration } = start()
    await iteration(45, 20)
    expect(await iteration(60, 20)).toBeGreaterThan(0)
    expect(await iteration(5, 20)).toBe(0)
    clock.advance(2_000)
    expect(await iteration(45, 20)).toBe(0)
  })

  test('lowers the limit in flight while iterations are long, and raises it again when they are short', () => {
    const clock = createClock(0)
    const shedder = new LoadShedder({ maxInFlight: 100, maxDelayMs: 100, burstMs: 1_000, now: clock.now })
    const fill = () => {
      let acquired = 0
      for (; !shedder.isFull; acquired += 1) shedder.acquire()
      return acquired
    }
    const empty = (count: number) => {
      for (let left = count; left > 0; left -= 1) shedder.release()
    }
    const sampleAfter = (iterationMs: number) => {
      const count = fill()
      clock.advance(Math.max(iterationMs, sampleIntervalMs))
      shedder.sample()
      empty(count)
      return count
    }
    const burst = [400, 400, 400].map(sampleAfter)
    expect(burst).toEqual([100, 100, 100])
    const sustained = [400, 400, 400, 400].map(sampleAfter)
    expect(sustained).toEqual([70, 49, 34, 23])
    const short = Array.from({ length: 60 }, () => sampleAfter(10))
    expect(short).toEqual([...short].sort((a, b) => a - b))
    expect(short.at(-1)).toBe(100)
  })

  test('is full when the limit in flight is reached', () => {
    const { shedder } = start()
    shedder.acquire()
    expect(shedder.isFull).toBe(false)
    shedder.acquire()
    expect(shedder.isFull).toBe(true)
    shedder.release()
    expect(shedder.isFull).toBe(false)
  })
})
