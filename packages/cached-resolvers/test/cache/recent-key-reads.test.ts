import { describe, expect, test } from 'vitest'
import { decodeStored, encodeEntry, encodeLease } from '../../src/cache/entry.js'
import type { GuardedStore } from '../../src/cache/guarded-store.js'
import { Keys } from '../../src/cache/key.js'
import { interpret, type KeyRead } from '../../src/cache/key-read.js'
import { KeyReader } from '../../src/cache/key-reader.js'
import { RecentKeyReads } from '../../src/cache/recent-key-reads.js'
import { sharedValueMemo } from '../../src/cache/shared-value.js'

const things = { name: 'things', version: 1, softTtlMs: 1_000, graceMs: 0, negativeTtlMs: 1_000 }

function textOf(value: unknown, token = 'token', generation = 'one') {
  return encodeEntry(token, { generation, softUntilMs: 1_000, fetchMs: 1, version: 1 }, value)
}

/**
 * Returns a function that reads thing "a" while the store returns the given text and generation. It returns undefined for a miss.
 */
function createRead() {
  let texts: (string | null)[] = []
  const guardedStore = { run: async () => texts } as Partial<GuardedStore> as GuardedStore
  const reader = new KeyReader({ guardedStore, keys: new Keys('p', 'v1'), near: null, now: () => 0, random: () => 0 })
  return async (text: string | null, generation = 'one') => {
    texts = [generation, text]
    const [keyRead] = await reader.read(things, ['a'])
    const lookup = interpret(things, keyRead as KeyRead<string>, 0)
    return lookup.state === 'hit' ? lookup.value : undefined
  }
}

describe('slots that were read before', () => {
  test('return the same value while the text is the same', async () => {
    const read = createRead()
    const value = await read(textOf({ name: 'A' }))
    expect(value).toEqual({ name: 'A' })
    expect(await read(textOf({ name: 'A' }))).toBe(value)
  })

  test.each([
    ['another value under the same token', textOf({ name: 'B' }), { name: 'B' }],
    ['the same value, written again', textOf({ name: 'A' }, 'another'), { name: 'A' }],
    ['nothing', null, undefined],
    ['a lease', encodeLease('token'), undefined],
    ['damage', textOf({ name: 'A' }).slice(0, -1), undefined],
    ['another generation', textOf({ name: 'A' }, 'token', 'two'), undefined],
  ])('do not hide %s', async (_, text, expected) => {
    const read = createRead()
    const before = await read(textOf({ name: 'A' }))
    const after = await read(text)
    expect(after).toEqual(expected)
    expect(after).not.toBe(before)
  })

  test('are misses under any other generation, before and after a hit under their own', async () => {
    const read = createRead()
    const text = textOf('A')
    expect([await read(text, 'two'), await read(text), await read(text, 'two'), await read(text)]).toEqual([
      undefined,
      'A',
      undefined,
      'A',
    ])
  })
})

describe('keeping keyReads', () => {
  const scope = { generation: 'one', generations: [{ key: 'things', text: 'one' }] }
  const text = textOf({ name: 'A' })
  const createKeyRead = (id: string) => ({ id, key: `things:${id}`, ...scope, stored: decodeStored(text) })
  const valueIn = (keyRead: KeyRead<string>) => {
    const lookup = interpret(things, keyRead, 0)
    return lookup.state === 'hit' ? (lookup.value as object) : {}
  }

  test('values are marked as shared if they are kept, and only then', () => {
    const [kept, notKept] = [1e6, 1].map((maxBytes) => {
      const keyRead = createKeyRead('a')
      new RecentKeyReads({ maxBytes, random: () => 1 }).keep(things, keyRead, text)
      return sharedValueMemo.get(valueIn(keyRead))
    })
    expect(kept).toBeNull()
    expect(notKept).toBeUndefined()
  })

  test('when the memory is full, other reads are evicted', () => {
    const recent = new RecentKeyReads({ maxBytes: 2_000, random: () => 0 })
    recent.keep(things, createKeyRead('a'), text)
    expect(recent.find('things', 'a')?.matches(text, scope)).toBe(true)
    for (let other = 0; other < 100; other += 1) recent.keep(things, createKeyRead(`${other}`), text)
    expect(recent.find('things', 'a')).toBeUndefined()
    expect(recent.find('things', '99')?.matches(text, scope)).toBe(true)
  })

  test('a read that is too large to be kept replaces the read of before', () => {
    const recent = new RecentKeyReads({ maxBytes: 2_000, random: () => 1 })
    recent.keep(things, createKeyRead('a'), text)
    const large = textOf({ name: 'x'.repeat(1_000) })
    recent.keep(things, { ...createKeyRead('a'), stored: decodeStored(large) }, large)
    expect(recent.find('things', 'a')).toBeUndefined()
  })

  test('damaged JSON is not kept', () => {
    const recent = new RecentKeyReads({ maxBytes: 2_000, random: () => 0 })
    recent.keep(things, { ...createKeyRead('a'), stored: decodeStored(`${text}}`) }, `${text}}`)
    expect(recent.find('things', 'a')).toBeUndefined()
  })

  test('the same id in another namespace is another key', () => {
    const recent = new RecentKeyReads({ maxBytes: 2_000, random: () => 0 })
    recent.keep(things, createKeyRead('a'), text)
    expect(recent.find('others', 'a')).toBeUndefined()
  })
})
