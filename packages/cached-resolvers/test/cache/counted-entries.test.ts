import { expect, test } from 'vitest'
import { CountedEntries } from '../../src/cache/counted-entries.js'
import { KeptEntry } from '../../src/cache/kept-entry.js'

const entries = Array.from({ length: 20 }, (_, index) => {
  const header = { version: 1, generation: 'g', softUntilMs: 1, filledAtMs: 0, fetchMs: 0 }
  return new KeptEntry(`key ${index}`, 1, { state: 'entry', json: '1', seen: '', header } as unknown as KeptEntry['held'])
})

test('each request counts an entry once, in whatever order requests read', () => {
  const requests = Array.from({ length: 4 }, () => ({ counted: new CountedEntries(), expected: new Set<KeptEntry>() }))
  let state = 1
  const next = (below: number) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
  for (let step = 0; step < 5_000; step += 1) {
    const { counted, expected } = requests[next(requests.length)] as (typeof requests)[number]
    // Sometimes several in a row, as a request that waits for nothing
    for (let reads = next(5); reads >= 0; reads -= 1) {
      const entry = entries[next(entries.length)] as KeptEntry
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
