import { expect, test } from 'vitest'
import { CountedEntries } from '../../src/cache/counted-entries.js'
import { DecodedEntry } from '../../src/cache/decoded-entry.js'

const header = { version: 1, generation: 'g', softUntilMs: 1, fetchMs: 0 }
const entries = Array.from({ length: 20 }, () => new DecodedEntry(1, header, {}))

test('each request counts an entry once, in any interleaving of requests', () => {
  const requests = Array.from({ length: 4 }, () => ({ counted: new CountedEntries(), expected: new Set<DecodedEntry>() }))
  let state = 1
  const next = (below: number) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
  for (let step = 0; step < 5_000; step += 1) {
    const { counted, expected } = requests[next(requests.length)] as (typeof requests)[number]
    // Sometimes several in a row, like a request that never waits
    for (let reads = next(5); reads >= 0; reads -= 1) {
      const entry = entries[next(entries.length)] as DecodedEntry
      expect(counted.add(entry)).toBe(!expected.has(entry))
      expected.add(entry)
      expect(counted.size).toBe(expected.size)
    }
    if (next(20) === 0) {
      counted.clear()
      expected.clear()
    }
  }
})
