import { describe, expect, test } from 'vitest'
import { encodeEntry, encodeLease } from '../../src/cache/entry.js'
import { RecentSlots } from '../../src/cache/recent-slots.js'
import { notesOf } from '../../src/cache/shared-value.js'
import { interpret } from '../../src/cache/slot.js'

const things = { name: 'things', version: 1, softTtlMs: 1_000, graceMs: 0, negativeTtlMs: 1_000 }

function textOf(value: unknown, token = 'token', generation = 'one') {
  return encodeEntry(token, { generation, softUntilMs: 1_000, fetchMs: 1, version: 1 }, value)
}

function under(text: string) {
  return { generation: text, generations: [{ key: 'things', text }] }
}

/** The value that is read under a generation, undefined for none */
function reader(recent = new RecentSlots({ maxBytes: 1e6, random: () => 0 })) {
  return (text: string | null, generation = under('one')) => {
    const lookup = interpret(things, recent.slotOf('a', 'things:a', text, generation), 0)
    return lookup.state === 'hit' ? lookup.value : undefined
  }
}

describe('slots that were read before', () => {
  test('give the same value for as long as the text is the same', () => {
    const read = reader()
    const value = read(textOf({ name: 'A' }))
    expect(value).toEqual({ name: 'A' })
    expect(read(textOf({ name: 'A' }))).toBe(value)
    expect(read(textOf({ name: 'A' }), under('one'))).toBe(value)
  })

  test.each([
    ['another value under the same token', textOf({ name: 'B' }), { name: 'B' }],
    ['the same value, written again', textOf({ name: 'A' }, 'another'), { name: 'A' }],
    ['nothing', null, undefined],
    ['a lease', encodeLease('token'), undefined],
    ['damage', textOf({ name: 'A' }).slice(0, -1), undefined],
    ['another generation', textOf({ name: 'A' }, 'token', 'two'), undefined],
  ])('do not hide %s', (_, text, expected) => {
    const read = reader()
    const before = read(textOf({ name: 'A' }))
    const after = read(text)
    expect(after).toEqual(expected)
    expect(after).not.toBe(before)
  })

  test('are not read under a generation that they were not filled under, before and after it was theirs', () => {
    const read = reader()
    const text = textOf('A')
    expect([read(text, under('two')), read(text), read(text, under('two')), read(text)]).toEqual([undefined, 'A', undefined, 'A'])
  })

  test('are marked as shared where they are kept, and only there', () => {
    const [kept, notKept] = [1e6, 1].map((maxBytes) =>
      reader(new RecentSlots({ maxBytes, random: () => 1 }))(textOf({ name: 'A' })),
    )
    expect(notesOf(kept as object)).toEqual([])
    expect(notesOf(notKept as object)).toBeUndefined()
  })

  test('are forgotten where there is no room, and read anew', () => {
    const recent = new RecentSlots({ maxBytes: 1_000, random: () => 0 })
    const read = reader(recent)
    const value = read(textOf({ name: 'A' }))
    for (let other = 0; other < 100; other += 1) recent.slotOf('b', `things:${other}`, textOf('B'), under('one'))
    expect(read(textOf({ name: 'A' }))).toEqual(value)
    expect(read(textOf({ name: 'A' }))).not.toBe(value)
  })
})
