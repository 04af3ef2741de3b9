import { describe, expect, test } from 'vitest'
import { FetchLimiter } from '../../src/cache/fetch-limiter.js'
import { SharedFetch } from '../../src/cache/shared-fetch.js'

class TestCancellation {
  reason: Error | undefined
  private readonly callbacks = new Set<(reason: Error) => void>()

  onCancel(callback: (reason: Error) => void) {
    this.callbacks.add(callback)
    return () => this.callbacks.delete(callback)
  }

  cancel() {
    this.reason = new Error('cancelled')
    for (const callback of this.callbacks) callback(this.reason)
  }
}

/** A fetch that ends when `end` is called */
function startFetch() {
  let signal: AbortSignal | undefined
  let end: (values: Map<string, number>) => void = () => {}
  const fetch = new SharedFetch<string, number>((fetchSignal) => {
    signal = fetchSignal
    return new Promise((resolve) => {
      end = resolve
    })
  })
  return { fetch, end: () => end(new Map([['a', 1]])), aborted: () => signal?.aborted }
}

describe('a fetch shared by several callers', () => {
  test('continues while a caller waits, and is aborted when the last one cancels', async () => {
    const { fetch, aborted } = startFetch()
    const [first, second] = [new TestCancellation(), new TestCancellation()]
    const waits = [fetch.waitFor(first), fetch.waitFor(second)]
    first.cancel()
    await expect(waits[0]).rejects.toThrow('cancelled')
    expect(aborted()).toBe(false)
    second.cancel()
    await expect(waits[1]).rejects.toThrow('cancelled')
    expect(aborted()).toBe(true)
    expect(fetch.isAborted).toBe(true)
  })

  test('is not aborted by a caller that cancels after it has ended', async () => {
    const { fetch, end, aborted } = startFetch()
    const cancellation = new TestCancellation()
    const waited = fetch.waitFor(cancellation)
    end()
    expect(await waited).toEqual(new Map([['a', 1]]))
    cancellation.cancel()
    expect(aborted()).toBe(false)
  })

  test('runs to its end if one caller cannot cancel', async () => {
    const { fetch, end, aborted } = startFetch()
    const cancellation = new TestCancellation()
    const waits = [fetch.waitFor(undefined), fetch.waitFor(cancellation)]
    cancellation.cancel()
    await expect(waits[1]).rejects.toThrow('cancelled')
    expect(aborted()).toBe(false)
    end()
    expect(await waits[0]).toEqual(new Map([['a', 1]]))
  })
})

describe('a fetch that waits for a slot', () => {
  test('leaves the queue when it is aborted, is not started, and another takes its place', async () => {
    const limiter = new FetchLimiter({ maxRunning: 1, maxRunMs: 60_000, maxWaiting: 1, maxWaitMs: 60_000 })
    let end = () => {}
    const running = limiter.run(() => new Promise<void>((resolve) => (end = resolve)))
    const controller = new AbortController()
    let started = false
    const waiting = limiter.run(async () => (started = true), controller.signal)
    controller.abort(new Error('no caller waits'))
    await expect(waiting).rejects.toThrow('no caller waits')
    const next = limiter.run(async () => 'next')
    end()
    await running
    expect(await next).toBe('next')
    expect(started).toBe(false)
  })
})
