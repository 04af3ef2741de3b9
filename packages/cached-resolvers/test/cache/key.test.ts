import { describe, expect, test } from 'vitest'
import { Keys } from '../../src/cache/key.js'
import type { Namespace } from '../../src/cache/namespace.js'

const things: Namespace<unknown> = { name: 'things', version: 1, softTtlMs: 1, graceMs: 1, negativeTtlMs: 1 }
const keys = new Keys('p', 'v1')
const lengths = [1_000, 1_024, 1_025, 400_000]

describe('a key', () => {
  test.each(lengths)('is short for any id and any name of a list: %i characters', (length) => {
    for (const name of ['x', '|', '\u4e00', ':', '\ud800']) {
      const text = name.repeat(length)
      for (const id of [text, { list: text, parameters: { size: 1 } }, { list: 'a', parameters: { text } }])
        expect(keys.entry(things, id).length).toBeLessThanOrEqual('p:v1:things:'.length + 1_024 + ':'.length + 16)
    }
  })

  test('differs for each name, and is the key that an invalidation removes', () => {
    const names = lengths.flatMap((length) => [`${'|'.repeat(length)}a`, `${'|'.repeat(length)}b`])
    expect(new Set(names.map((name) => keys.entry(things, name))).size).toBe(names.length)
    expect(keys.invalidationKeys(things, { ids: names })).toEqual(names.map((id) => keys.entry(things, id)))
    expect(keys.invalidationKeys(things, { lists: names })).toEqual(names.map((list) => keys.listGeneration(things, list)))
  })

  test('can be parsed back to its name unless that was too long; no name can be mistaken for a hash', () => {
    for (const name of ['user_1', 'category:A & B', '\u4e00'.repeat(100), '=', `=${'0'.repeat(64)}`])
      expect(keys.parse(keys.entry(things, name))).toEqual({ namespace: 'things', idOrList: name })
    expect(keys.parse(keys.entry(things, 'x'.repeat(2_000)))).toBeNull()
  })
})
