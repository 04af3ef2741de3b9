import { describe, expect, test } from 'vitest'
import { deferred } from '../../../../test/helpers/deferred.js'
import { until } from '../../../../test/helpers/until.js'
import { FetchTimeoutError, Gate, OverloadedError } from '../../src/cache/gate.js'

describe('the gate before the source of truth', () => {
  test('lets so many in, makes so many wait, and turns the rest away without calling', async () => {
    const gate = new Gate({ maxRunning: 2, maxRunMs: 60_000, maxWaiting: 1, maxWaitMs: 10_000 })
    const calls: number[] = []
    const ends = [deferred<void>(), deferred<void>(), deferred<void>(), deferred<void>()]
    const runs = ends.map((end, index) =>
      gate.run(() => {
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
    expect(await gate.run(async () => 'room again')).toBe('room again')
  })

  test('nobody waits longer than the limit, and the place of one that gave up is free', async () => {
    const gate = new Gate({ maxRunning: 1, maxRunMs: 60_000, maxWaiting: 1, maxWaitMs: 5 })
    const end = deferred<string>()
    const running = gate.run(() => end.promise)
    await expect(gate.run(async () => 'late')).rejects.toThrow('did not have time')
    const waiting = gate.run(async () => 'in time')
    end.resolve('done')
    expect(await Promise.all([running, waiting])).toEqual(['done', 'in time'])
  })

  test('one that never ends is given up, and gives its place on', async () => {
    const gate = new Gate({ maxRunning: 1, maxRunMs: 5, maxWaiting: 1, maxWaitMs: 1_000 })
    await expect(gate.run(() => new Promise(() => {}))).rejects.toThrow(FetchTimeoutError)
    expect(await gate.run(async () => 'next')).toBe('next')
  })

  test('a failure gives its place on', async () => {
    const gate = new Gate({ maxRunning: 1, maxRunMs: 60_000, maxWaiting: 1, maxWaitMs: 1_000 })
    const failing = gate.run(async () => Promise.reject(new Error('no')))
    const next = gate.run(async () => 'yes')
    await expect(failing).rejects.toThrow('no')
    expect(await next).toBe('yes')
  })
})
