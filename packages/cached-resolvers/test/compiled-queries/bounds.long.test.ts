import { describe, expect, test } from 'vitest'
import { costlyDocument } from './adversarial.js'
import { ask, createLane } from './asking.js'
import { heldMegabytes } from './heap.js'

describe('what the lane remembers', () => {
  test('does not grow with the number of different documents', async () => {
    const lane = createLane(1_000)
    let asked = 0
    const askUpTo = async (end: number) => {
      for (; asked < end; asked += 1) {
        const answer = await ask(lane, `{ product(id: "product_${asked}") { id name stock } }`)
        if (answer === undefined) throw new Error(`Document ${asked} was not for the lane`)
      }
      return heldMegabytes()
    }
    const early = await askUpTo(20_000)
    const late = await askUpTo(100_000)
    expect(late - early).toBeLessThan(8)
  })

  test('is bounded where somebody makes the worst of every document', async () => {
    for (const kind of ['long', 'short'] as const) {
      const lane = createLane(100)
      const before = heldMegabytes()
      for (let index = 0; index < 300; index += 1) await ask(lane, costlyDocument(kind, index))
      expect(heldMegabytes() - before).toBeLessThan(40)
      // Until here it is held.
      expect(await ask(lane, costlyDocument(kind, 0))).not.toBe(undefined)
    }
  })
})
