import { describe, expect, test } from 'vitest'
import { deferred } from '../../../../test/helpers/deferred.js'
import { until } from '../../../../test/helpers/until.js'
import { FetchLimiter, FetchTimeoutError, OverloadedError } from '../../src/cache/fetch-limiter.js'

describe('the limit of concurrent fetches', () => {
  test('runs up to maxRunning fetches, queues up to maxWaiting, and rejects the rest without calling them', async () => {
    const limiter = new FetchLimiter({ maxRunning: 2, maxRunMs: 60_000, maxWaiting: 1, maxWaitMs: 10_000 })
    const calls: number[] = []
    const ends = [deferred<void>(), deferred<void>(), deferred<void>(), deferred<void>()]
    const runs = ends.map((end, index) =>
      limiter.run(() => {
        calls.push(index)
        return end.promise
      }),
    )
    await expect(runs[3]).rejects.toThrow(OverloadedError)
    expect(calls).toEqual([0, 1])
    ends[1]?.resolve()
    await runs[1]
    await until(() => calls.length === 3)
    ends[0]?.resolve()
    ends[2]?.resolve()
    await Promise.all([runs[0], runs[2]])
    expect(await limiter.run(async () => 'free again')).toBe('free again')
  })

  test('a fetch waits no longer than maxWaitMs, and its place in the queue becomes free', async () => {
    const limiter = new FetchLimiter({ maxRunning: 1, maxRunMs: 60_000, maxWaiting: 1, maxWaitMs: 5 })
    const end = deferred<string>()
    const running = limiter.run(() => end.promise)
    await expect(limiter.run(async () => 'late')).rejects.toThrow('waited too long')
    const waiting = limiter.run(async () => 'in time')
    end.resolve('done')
    expect(await Promise.all([running, waiting])).toEqual(['done', 'in time'])
  })

  test('a fetch that never ends times out, and its slot goes to the next one', async () => {
    const limiter = new FetchLimiter({ maxRunning: 1, maxRunMs: 5, maxWaiting: 1, maxWaitMs: 1_000 })
    await expect(limiter.run(() => new Promise(() => {}))).rejects.toThrow(FetchTimeoutError)
    expect(await limiter.run(async () => 'next')).toBe('next')
  })

  test('the slot of a failed fetch goes to the next one', async () => {
    const limiter = new FetchLimiter({ maxRunning: 1, maxRunMs: 60_000, maxWaiting: 1, maxWaitMs: 1_000 })
    const failing = limiter.run(async () => Promise.reject(new Error('no')))
    const next = limiter.run(async () => 'yes')
    await expect(failing).rejects.toThrow('no')
    expect(await next).toBe('yes')
  })
})
