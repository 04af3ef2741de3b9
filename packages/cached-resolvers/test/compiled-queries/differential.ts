import { setImmediate } from 'node:timers/promises'
import { type DocumentNode, type ExecutionResult, execute, type GraphQLSchema, parse, validate } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSchema } from '../../../../src/graphql/schema.js'
import { administrator, anonymous, type Viewer } from '../../../../src/platform/auth/viewer.js'
import { compileQuery } from '../../src/compiled-queries/compile.js'
import { Lane } from '../../src/compiled-queries/lane.js'
import { Pieces } from '../../src/compiled-queries/pieces.js'
import { type GeneratedRequest, generateDocument } from './documents.js'
import { Forgotten } from './forgotten.js'
import type { Suggest } from './inputs.js'
import { createNotes } from './notes.js'
import { Random, seedOf } from './random.js'
import { createShopContext, suggestForShop } from './shop.js'
import { createZooSchema } from './zoo.js'

const firstSeed = Number(process.env.LANE_SEED ?? 1)

const pieces = new Pieces({ notes: createNotes(() => false), maxLength: 0 })

/** What is compared: a schema, and contexts for its resolvers that give the same for the same seed */
interface Subject {
  schema: GraphQLSchema
  /** Whether requests share this object, so that what is written of it may be remembered */
  isShared: (value: object) => boolean
  suggest: Suggest
  createContext: (seed: number) => unknown
}

/** Most may see all: refusals are left to the ordinary execution. */
const viewers: readonly Viewer[] = [...Array(6).fill(administrator), { role: 'customer', userId: 'user_1' }, anonymous]

const shop: Subject = {
  schema: createSchema(),
  isShared: (value) => 'id' in value,
  suggest: suggestForShop,
  createContext: (seed) => {
    const random = new Random(seedOf(seed, 'shop'))
    const near = random.pick([0, 0.5, 1])
    const viewer = random.pick(viewers)
    return createShopContext({ seed, viewer, near, failing: random.pick([0, 0, 0.03]), damaged: random.chance(0.2) })
  },
}

const zooSchema = createZooSchema()
const zoo: Subject = {
  schema: zooSchema,
  isShared: () => false,
  suggest: () => undefined,
  createContext: (seed) => {
    const random = new Random(seedOf(seed, 'zoo'))
    const near = random.pick([0.3, 0.8, 1])
    return { schema: zooSchema, seed, near, faults: random.pick([0, 0, 0.01, 0.1]), odd: random.chance(0.15) }
  },
}

let forgotten: Forgotten

/** Declares the tests. So many documents are compared, half of them of each schema, unless LANE_DOCUMENTS says otherwise. */
export function compareRandomQueries(usualDocuments: number): void {
  const documents = Number(process.env.LANE_DOCUMENTS ?? usualDocuments)
  beforeAll(() => {
    forgotten = new Forgotten()
  })
  afterAll(() => forgotten.stop())

  describe.each([
    ['the shop', shop, 0.55],
    ['a schema of oddities', zoo, 0.6],
  ])('random queries of %s', (_, subject, leastShare) => {
    test(
      'the lane answers as graphql-js and JSON.stringify do, or not at all',
      async () => {
        const tally: Tally = { documents: 0, invalid: 0, answered: 0, errors: 0, refused: 0 }
        for (let index = 0; index < documents / 2; index += 1) await compareDocument(subject, firstSeed + index, tally)
        if (process.env.LANE_DOCUMENTS !== undefined) process.stdout.write(`${JSON.stringify(tally)}\n`)
        const requests = tally.answered + tally.errors + tally.refused
        // A single document says nothing of shares.
        expect(documents < 1_000 || tally.answered / requests > leastShare, JSON.stringify(tally)).toBe(true)
      },
      120_000 + documents * 100,
    )
  })
}

interface Tally {
  documents: number
  invalid: number
  /** Requests: by the lane; with errors, so by graphql-js; and without errors by graphql-js all the same */
  answered: number
  errors: number
  refused: number
}

async function compareDocument(subject: Subject, seed: number, tally: Tally): Promise<void> {
  const { source, requests } = generateDocument(subject.schema, seed, subject.suggest)
  const document = parse(source)
  if (validate(subject.schema, document).length > 0) {
    tally.invalid += 1
    return
  }
  tally.documents += 1
  const lane = new Lane({
    schema: subject.schema,
    notes: createNotes(subject.isShared),
    maxDocuments: 100,
    costOf: () => () => 0,
    sightings: 1,
  })
  lane.answered(source, document, 'no-store')
  for (const [index, request] of requests.entries()) {
    try {
      tally[await compare(subject, lane, document, { ...request, source, seed: seed + index })] += 1
    } catch (error) {
      const repeat = `LANE_SEED=${seed} LANE_DOCUMENTS=1`
      throw new Error(`${(error as Error).message}\n${repeat}\n${JSON.stringify({ ...request, index })}\n${source}`)
    }
  }
}

type Case = GeneratedRequest & { source: string; seed: number }

/** Gives who had to answer. Throws where it matters who did. */
async function compare(
  subject: Subject,
  lane: Lane,
  document: DocumentNode,
  its: Case,
): Promise<'answered' | 'errors' | 'refused'> {
  const expected = await answerOrdinarily(subject, document, its, subject.createContext(its.seed))
  const context = subject.createContext(its.seed)
  const answer = await answerInLane(lane, its, context)
  if (expected.errors === undefined && answer === undefined) {
    if (subject === shop && isForTheLane(subject.schema, document)) throw new Error('Refused without need')
    return 'refused'
  }
  if (expected.errors === undefined) {
    const text = JSON.stringify(expected.data)
    if (answer !== text) throw new Error(`Differs:\n${answer}\n${text}`)
    return 'answered'
  }
  if (answer !== undefined) throw new Error(`Answered in spite of errors:\n${answer}\n${JSON.stringify(expected)}`)
  for (const error of await forgotten.take()) throw new Error(`The lane forgot a rejection: ${error}`)
  // What the lane began is gone on with. (Of several errors that take the same place, the first counts; that is a race.)
  const afterwards = await answerOrdinarily(subject, document, its, context)
  const same = afterwards.errors !== undefined && JSON.stringify(afterwards.data) === JSON.stringify(expected.data)
  if (!same) throw new Error(`Another answer after the lane:\n${JSON.stringify(afterwards)}\n${JSON.stringify(expected)}`)
  return 'errors'
}

/** As the ordinary pipeline does it; data that JSON cannot hold counts as an error. */
async function answerOrdinarily({ schema }: Subject, document: DocumentNode, its: Case, contextValue: unknown) {
  const { variables: variableValues, operationName } = its
  const result = await execute({ schema, document, contextValue, variableValues, operationName: operationName ?? null })
  // graphql-js forgets the other items of a list when one of them throws.
  if (result.errors) await forgotten.take()
  try {
    JSON.stringify(result)
    return result
  } catch (error) {
    return { errors: [error], data: null } as ExecutionResult
  }
}

/** Undefined where it is not for the lane. */
async function answerInLane(
  lane: Lane,
  { source, variables, operationName }: Case,
  context: unknown,
): Promise<string | undefined> {
  try {
    const answer = lane.run(
      { query: source, variables, operationName },
      () => true,
      () => context,
    )
    return answer && (await soon(answer.data))
  } catch (error) {
    if (error instanceof NeverError) throw error
    return undefined
  }
}

/** Nothing in these schemas takes longer than some turns of the event loop. */
async function soon<T>(answer: T | Promise<T>): Promise<T> {
  let settled = !(answer instanceof Promise)
  const settle = () => {
    settled = true
  }
  if (answer instanceof Promise) answer.then(settle, settle)
  for (let turn = 0; turn < 500 && !settled; turn += 1) await setImmediate()
  if (!settled) throw new NeverError('The lane never came to an end')
  return answer
}

class NeverError extends Error {}

/** Whether it compiles with much room to the limit */
function isForTheLane(schema: GraphQLSchema, document: DocumentNode): boolean {
  try {
    compileQuery({ schema, maxFields: 200, pieces }, document)
    return true
  } catch {
    return false
  }
}
