import { parse } from 'graphql'
import { createSchema } from '../../../../src/graphql/schema.js'
import { administrator } from '../../../../src/platform/auth/viewer.js'
import { Lane } from '../../src/compiled-queries/lane.js'
import { createNotes } from './notes.js'
import { createShopContext } from './shop.js'

export const schema = createSchema()
const context = createShopContext({ seed: 1, viewer: administrator, near: 1, failing: 0, damaged: false })

export function createLane(maxDocuments: number): Lane {
  return new Lane({ schema, notes: createNotes((value) => 'id' in value), maxDocuments, costOf: () => () => 0, sightings: 2 })
}

/** Makes the lane see a document often enough, and asks it. */
export function ask(lane: Lane, source: string) {
  const document = parse(source)
  for (let times = 0; times < 2; times += 1) lane.answered(source, document, 'no-store')
  return lane.run(
    { query: source, variables: {}, operationName: undefined },
    () => true,
    () => context,
  )?.data
}
