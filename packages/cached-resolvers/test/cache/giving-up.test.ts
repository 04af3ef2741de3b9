import { describe, expect, test } from 'vitest'
import { Gate } from '../../src/cache/gate.js'
import { SharedFetch } from '../../src/cache/shared-fetch.js'

class Caller {
  gaveUp: Error | undefined
  private readonly callbacks = new Set<(reason: Error) => void>()

  whenGivingUp(callback: (reason: Error) => void) {
    this.callbacks.add(callback)
    return () => this.callbacks.delete(callback)
  }

  giveUp() {
    this.gaveUp = new Error('gave up')
    for (const callback of this.callbacks) callback(this.gaveUp)
  }
}

/** A fetch that ends when it is told to, and what became of it */
function startFetch() {
  let signal: AbortSignal | undefined
  let end: (found: Map<string, number>) => void = () => {}
  const fetch = new SharedFetch<string, number>((its) => {
    signal = its
    return new Promise((resolve) => {
      end = resolve
    })
  })
  return { fetch, end: () => end(new Map([['a', 1]])), aborted: () => signal?.aborted }
}

describe('a fetch that several wait for', () => {
  test('goes on for those who are left, and is aborted when the last has given up', async () => {
    const { fetch, aborted } = startFetch()
    const [first, second] = [new Caller(), new Caller()]
    const waits = [fetch.waitFor(first), fetch.waitFor(second)]
    first.giveUp()
    await expect(waits[0]).rejects.toThrow('gave up')
    expect(aborted()).toBe(false)
    second.giveUp()
    await expect(waits[1]).rejects.toThrow('gave up')
    expect(aborted()).toBe(true)
    expect(fetch.isAborted).toBe(true)
  })

  test('is not aborted for one who gives up after it has ended', async () => {
    const { fetch, end, aborted } = startFetch()
    const caller = new Caller()
    const waited = fetch.waitFor(caller)
    end()
    expect(await waited).toEqual(new Map([['a', 1]]))
    caller.giveUp()
    expect(aborted()).toBe(false)
  })

  test('is seen through where one waits who never gives up', async () => {
    const { fetch, end, aborted } = startFetch()
    const caller = new Caller()
    const waits = [fetch.waitFor(undefined), fetch.waitFor(caller)]
    caller.giveUp()
    await expect(waits[1]).rejects.toThrow('gave up')
    expect(aborted()).toBe(false)
    end()
    expect(await waits[0]).toEqual(new Map([['a', 1]]))
  })
})

describe('a fetch that waits for room', () => {
  test('leaves the queue when it is aborted, is not begun, and its place goes to another', async () => {
    const gate = new Gate({ maxRunning: 1, maxRunMs: 60_000, maxWaiting: 1, maxWaitMs: 60_000 })
    let end = () => {}
    const running = gate.run(() => new Promise<void>((resolve) => (end = resolve)))
    const controller = new AbortController()
    let begun = false
    const waiting = gate.run(async () => (begun = true), controller.signal)
    controller.abort(new Error('nobody waits'))
    await expect(waiting).rejects.toThrow('nobody waits')
    const next = gate.run(async () => 'next')
    end()
    await running
    expect(await next).toBe('next')
    expect(begun).toBe(false)
  })
})
