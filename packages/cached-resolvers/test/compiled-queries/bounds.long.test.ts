import { describe, expect, test } from 'vitest'
import { costlyDocument } from './adversarial.js'
import { usedHeapMegabytes } from './heap.js'
import { createCompiledQueries, runCompiled } from './run-compiled.js'

describe('the memory of compiled queries', () => {
  test('does not grow with the number of different documents', async () => {
    const compiledQueries = createCompiledQueries(1_000)
    let index = 0
    const runUpTo = async (end: number) => {
      for (; index < end; index += 1) {
        const answer = await runCompiled(compiledQueries, `{ product(id: "product_${index}") { id name stock } }`)
        if (answer === undefined) throw new Error(`Document ${index} was not compiled`)
      }
      return usedHeapMegabytes()
    }
    const early = await runUpTo(20_000)
    const late = await runUpTo(100_000)
    expect(late - early).toBeLessThan(8)
  })

  test('is bounded if every document takes as much memory as it can', async () => {
    for (const kind of ['long', 'short'] as const) {
      const compiledQueries = createCompiledQueries(100)
      const before = usedHeapMegabytes()
      for (let index = 0; index < 300; index += 1) await runCompiled(compiledQueries, costlyDocument(kind, index))
      expect(usedHeapMegabytes() - before).toBeLessThan(40)
      // Keeps the compiled queries reachable until here.
      expect(await runCompiled(compiledQueries, costlyDocument(kind, 0))).not.toBe(undefined)
    }
  })
})
