import { describe, expect, test } from 'vitest'
import type { Attempts } from '../../src/cache/attempts.js'
import { decodeHeld, encodeEntry, encodeLease } from '../../src/cache/entry.js'
import { Keys } from '../../src/cache/key.js'
import { RecentSlots } from '../../src/cache/recent-slots.js'
import { sharedNotes } from '../../src/cache/shared-value.js'
import { interpret, type Slot } from '../../src/cache/slot.js'
import { SlotReader } from '../../src/cache/slot-reader.js'

const things = { name: 'things', version: 1, softTtlMs: 1_000, graceMs: 0, negativeTtlMs: 1_000 }

function textOf(value: unknown, token = 'token', generation = 'one') {
  return encodeEntry(token, { generation, softUntilMs: 1_000, fetchMs: 1, version: 1 }, value)
}

/** Reads thing "a" while the store gives this text for it, and that for the generation: its value, undefined for none. */
function createRead() {
  let texts: (string | null)[] = []
  const attempts = { run: async () => texts } as Partial<Attempts> as Attempts
  const reader = new SlotReader({ attempts, keys: new Keys('p', 'v1'), near: null, now: () => 0, random: () => 0 })
  return async (text: string | null, generation = 'one') => {
    texts = [generation, text]
    const [slot] = await reader.read(things, ['a'])
    const lookup = interpret(things, slot as Slot<string>, 0)
    return lookup.state === 'hit' ? lookup.value : undefined
  }
}

describe('slots that were read before', () => {
  test('give the same value for as long as the text is the same', async () => {
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

  test('are not read under a generation that they were not filled under, before and after it was theirs', async () => {
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

describe('keeping slots', () => {
  const its = { generation: 'one', generations: [{ key: 'things', text: 'one' }] }
  const text = textOf({ name: 'A' })
  const createSlot = (id: string) => ({ id, key: `things:${id}`, ...its, held: decodeHeld(text), near: false })
  const valueIn = (slot: Slot<string>) => {
    const lookup = interpret(things, slot, 0)
    return lookup.state === 'hit' ? (lookup.value as object) : {}
  }

  test('values are marked as shared where they are kept, and only there', () => {
    const [kept, notKept] = [1e6, 1].map((maxBytes) => {
      const slot = createSlot('a')
      new RecentSlots({ maxBytes, random: () => 1 }).keep(things, slot, text)
      return sharedNotes.get(valueIn(slot))
    })
    expect(kept).toBeNull()
    expect(notKept).toBeUndefined()
  })

  test('where there is no room, others are forgotten', () => {
    const recent = new RecentSlots({ maxBytes: 2_000, random: () => 0 })
    recent.keep(things, createSlot('a'), text)
    expect(recent.find('things', 'a')?.isStill(text, its)).toBe(true)
    for (let other = 0; other < 100; other += 1) recent.keep(things, createSlot(`${other}`), text)
    expect(recent.find('things', 'a')).toBeUndefined()
    expect(recent.find('things', '99')?.isStill(text, its)).toBe(true)
  })

  test('an id of one namespace is not that of another', () => {
    const recent = new RecentSlots({ maxBytes: 2_000, random: () => 0 })
    recent.keep(things, createSlot('a'), text)
    expect(recent.find('others', 'a')).toBeUndefined()
  })
})
