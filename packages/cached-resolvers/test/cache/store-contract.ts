import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeLease } from '../../src/cache/entry.js'
import type { CacheStore } from '../../src/cache/store.js'

export interface ContractSubject {
  store: CacheStore
  /** Advances the time of the store. */
  wait(ms: number): Promise<void>
  stop(): Promise<void>
}

/** A TTL long enough that the key does not expire before the test has read it */
const shortMs = 2_000

/** The contract of every store, run against each implementation. */
export function describeStoreContract(name: string, start: () => Promise<ContractSubject>, { skip = false } = {}): void {
  describe.skipIf(skip)(`the store contract: ${name}`, () => {
    let subject: ContractSubject
    let store: CacheStore
    const key = () => `contract:${randomUUID()}`
    const put = (at: string, value: string) => store.swapMany([{ key: at, when: { state: 'absent' }, value, ttlMs: null }])

    beforeAll(async () => {
      subject = await start()
      store = subject.store
      await store.connect()
    })
    afterAll(async () => {
      await store.close()
      await subject.stop()
    })

    test('reads values in the order of the keys, and null for missing ones', async () => {
      const [a, b] = [key(), key()]
      await put(a, 'one')
      await put(b, '')
      expect(await store.readMany([b, key(), a, a])).toEqual(['', null, 'one', 'one'])
    })

    test('keeps text unchanged: quotes, line ends, NUL, supplementary planes', async () => {
      const at = key()
      const text = 'a "b" \n\r\0 |🛒é|'
      await put(at, text)
      expect(await store.readMany([at])).toEqual([text])
    })

    test('absent: writes if the key is missing, and returns the current text otherwise', async () => {
      const at = key()
      expect(await put(at, 'first')).toEqual([{ swapped: true }])
      expect(await put(at, 'second')).toEqual([{ swapped: false, current: 'first' }])
      expect(await store.readMany([at])).toEqual(['first'])
    })

    test('absentOrStartsWith: also overwrites a text with the expected prefix, and no other text', async () => {
      const at = key()
      await put(at, '1|old|x')
      const swap = (expected: string, value: string) =>
        store.swapMany([{ key: at, when: { state: 'absentOrStartsWith', expected }, value, ttlMs: null }])
      expect(await swap('1|new|', 'no')).toEqual([{ swapped: false, current: '1|old|x' }])
      expect(await swap('1|old|', 'yes')).toEqual([{ swapped: true }])
      expect(await store.readMany([at])).toEqual(['yes'])
    })

    test('startsWith: overwrites only a text with the expected prefix, and never writes a missing key', async () => {
      const at = key()
      const swap = (expected: string) =>
        store.swapMany([{ key: at, when: { state: 'startsWith', expected }, value: 'filled', ttlMs: null }])
      expect(await swap('L|a')).toEqual([{ swapped: false, current: null }])
      await put(at, 'L|b')
      expect(await swap('L|a')).toEqual([{ swapped: false, current: 'L|b' }])
      expect(await swap('L|b')).toEqual([{ swapped: true }])
      expect(await store.readMany([at])).toEqual(['filled'])
    })

    test('notLeased: overwrites anything but a lease', async () => {
      const [garbage, leased] = [key(), key()]
      await put(garbage, '\u{fffd}garbage')
      await put(leased, encodeLease('someone'))
      const swap = (at: string) => ({ key: at, when: { state: 'notLeased' as const }, value: 'mine', ttlMs: null })
      expect(await store.swapMany([swap(garbage), swap(leased), swap(key())])).toEqual([
        { swapped: true },
        { swapped: false, current: encodeLease('someone') },
        { swapped: true },
      ])
    })

    test('a swap that does not happen does not prevent the other swaps of its batch', async () => {
      const [occupied, free] = [key(), key()]
      await put(occupied, 'x')
      const swap = (at: string) => ({ key: at, when: { state: 'absent' as const }, value: 'y', ttlMs: null })
      expect(await store.swapMany([swap(occupied), swap(free)])).toEqual([{ swapped: false, current: 'x' }, { swapped: true }])
    })

    test('a key with a TTL expires, and is absent then', async () => {
      const at = key()
      await store.swapMany([{ key: at, when: { state: 'absent' }, value: 'short', ttlMs: shortMs }])
      expect(await store.readMany([at])).toEqual(['short'])
      await subject.wait(shortMs + 100)
      expect(await store.readMany([at])).toEqual([null])
      expect(await put(at, 'again')).toEqual([{ swapped: true }])
    })

    test('a swap without a TTL removes the previous TTL', async () => {
      const at = key()
      await store.swapMany([{ key: at, when: { state: 'absent' }, value: 'short', ttlMs: shortMs }])
      await store.swapMany([{ key: at, when: { state: 'startsWith', expected: 'short' }, value: 'long', ttlMs: null }])
      await subject.wait(shortMs + 100)
      expect(await store.readMany([at])).toEqual(['long'])
    })

    test('removes many keys, including missing ones', async () => {
      const [a, b] = [key(), key()]
      await put(a, 'x')
      await store.removeMany([a, b])
      expect(await store.readMany([a, b])).toEqual([null, null])
    })

    test('adds counts once per batch id', async () => {
      const at = key()
      await store.addCounts(at, 'batch-1', new Map([['hits', 2], ['misses', 1]]), null) // biome-ignore format: a table
      await store.addCounts(at, 'batch-2', new Map([['hits', 3]]), null)
      if (store.backend !== 'memory') await store.addCounts(at, 'batch-2', new Map([['hits', 3]]), null)
      expect(await store.readCounts(at)).toEqual(new Map([['hits', 5], ['misses', 1]])) // biome-ignore format: a table
      expect(await store.readCounts(key())).toEqual(new Map())
    })

    test('counts with a TTL expire', async () => {
      const at = key()
      await store.addCounts(at, 'batch-1', new Map([['hits', 2]]), shortMs)
      expect(await store.readCounts(at)).toEqual(new Map([['hits', 2]]))
      await subject.wait(shortMs + 100)
      expect(await store.readCounts(at)).toEqual(new Map())
    })

    test('answers a ping and reports its state', async () => {
      expect(await store.ping()).toBeGreaterThanOrEqual(0)
      expect(await store.info()).toMatchObject({
        usedMemoryBytes: expect.any(Number),
        uptimeSeconds: expect.any(Number),
        keys: expect.any(Number),
      })
    })
  })
}
