import { parse, validate } from 'graphql'
import { describe, expect, test } from 'vitest'
import { administrator } from '../../src/auth/viewer.js'
import { createSchema } from '../../src/graphql/schema.js'
import { Lane } from '../../src/lane/lane.js'
import { adversarialDocuments, costlyDocument } from './adversarial.js'
import { heldMegabytes } from './heap.js'
import { createNotes } from './notes.js'
import { createShopContext } from './shop.js'

const schema = createSchema()
const context = createShopContext({ seed: 1, viewer: administrator, near: 1, failing: 0, damaged: false })

function createLane(maxDocuments: number): Lane {
  return new Lane({ schema, notes: createNotes((value) => 'id' in value), maxDocuments, costOf: () => () => 0, sightings: 2 })
}

/** Makes the lane see a document often enough, and asks it. */
function ask(lane: Lane, source: string) {
  const document = parse(source)
  for (let times = 0; times < 2; times += 1) lane.answered(source, document, 'no-store')
  return lane.run(
    { query: source, variables: {}, operationName: undefined },
    () => true,
    () => context,
  )?.data
}

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
  }, 120_000)

  test('is bounded where somebody makes the worst of every document', async () => {
    for (const kind of ['long', 'short'] as const) {
      const lane = createLane(100)
      const before = heldMegabytes()
      for (let index = 0; index < 300; index += 1) await ask(lane, costlyDocument(kind, index))
      expect(heldMegabytes() - before).toBeLessThan(30)
      // Until here it is held.
      expect(await ask(lane, costlyDocument(kind, 0))).not.toBe(undefined)
    }
  })
})

describe('a document that is within the limit of length and hard to compile', () => {
  test.each(Object.entries(adversarialDocuments))('%s is left to the ordinary execution', (_, source) => {
    expect(source.length).toBeLessThanOrEqual(8_192)
    expect(validate(schema, parse(source))).toEqual([])
    expect(ask(createLane(100), source)).toBe(undefined)
  })

  test('a long one is, too, whatever is in it', () => {
    const lane = createLane(100)
    expect(ask(lane, '{ __typename }'.padEnd(8_192))).toBe('{"__typename":"Query"}')
    expect(ask(lane, '{ __typename }'.padEnd(8_193))).toBe(undefined)
  })
})
