import { setImmediate } from 'node:timers/promises'
import { type DocumentNode, type ExecutionResult, execute, type GraphQLSchema, parse, validate } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSchema } from '../../../../src/graphql/schema.js'
import { administrator, anonymous, type Viewer } from '../../../../src/platform/auth/viewer.js'
import { compileQuery } from '../../src/compiled-queries/compile.js'
import { CompiledQueries } from '../../src/compiled-queries/compiled-queries.js'
import { ObjectJsonCache } from '../../src/compiled-queries/object-json-cache.js'
import { type GeneratedRequest, generateDocument } from './documents.js'
import type { SuggestValue } from './inputs.js'
import { createMemo } from './memo.js'
import { Random, seedOf } from './random.js'
import { createShopContext, suggestForShop } from './shop.js'
import { UnhandledRejections } from './unhandled-rejections.js'
import { createZooSchema } from './zoo.js'

const firstSeed = Number(process.env.DIFFERENTIAL_SEED ?? 1)

const objectJsonCache = new ObjectJsonCache({ memo: createMemo(() => false), maxLength: 0 })

/** What is compared: a schema, and contexts whose resolvers return the same for the same seed */
interface Subject {
  schema: GraphQLSchema
  /** Whether requests share this object, so that testCase JSON may be cached */
  isShared: (value: object) => boolean
  suggest: SuggestValue
  createContext: (seed: number) => unknown
}

/** Mostly administrators: the standard execution has to report errors of access. */
const viewers: readonly Viewer[] = [...Array(6).fill(administrator), { role: 'customer', userId: 'user_1' }, anonymous]

const shop: Subject = {
  schema: createSchema(),
  isShared: (value) => 'id' in value,
  suggest: suggestForShop,
  createContext: (seed) => {
    const random = new Random(seedOf(seed, 'shop'))
    const immediateShare = random.pick([0, 0.5, 1])
    const viewer = random.pick(viewers)
    return createShopContext({
      seed,
      viewer,
      immediateShare,
      failureShare: random.pick([0, 0, 0.03]),
      invalidRows: random.chance(0.2),
    })
  },
}

const zooSchema = createZooSchema()
const zoo: Subject = {
  schema: zooSchema,
  isShared: () => false,
  suggest: () => undefined,
  createContext: (seed) => {
    const random = new Random(seedOf(seed, 'zoo'))
    const immediateShare = random.pick([0.3, 0.8, 1])
    return { schema: zooSchema, seed, immediateShare, faultShare: random.pick([0, 0, 0.01, 0.1]), unusual: random.chance(0.15) }
  },
}

let unhandledRejections: UnhandledRejections

/** Declares the tests. DIFFERENTIAL_DOCUMENTS overrides the number of documents; half of them are for each schema. */
export function compareRandomQueries(defaultDocuments: number): void {
  const documents = Number(process.env.DIFFERENTIAL_DOCUMENTS ?? defaultDocuments)
  beforeAll(() => {
    unhandledRejections = new UnhandledRejections()
  })
  afterAll(() => unhandledRejections.stop())

  describe.each([
    ['the shop', shop, 0.55],
    ['a schema with every kind of type', zoo, 0.6],
  ])('random queries of %s', (_, subject, minCompiledShare) => {
    test(
      'are answered by the compiled query as by graphql-js and JSON.stringify, or left to the standard execution',
      async () => {
        const tally: Tally = { documents: 0, invalid: 0, compiled: 0, errors: 0, notCompiled: 0 }
        for (let index = 0; index < documents / 2; index += 1) await compareDocument(subject, firstSeed + index, tally)
        if (process.env.DIFFERENTIAL_DOCUMENTS !== undefined) process.stdout.write(`${JSON.stringify(tally)}\n`)
        const requests = tally.compiled + tally.errors + tally.notCompiled
        // A few documents are not representative.
        expect(documents < 1_000 || tally.compiled / requests > minCompiledShare, JSON.stringify(tally)).toBe(true)
      },
      120_000 + documents * 100,
    )
  })
}

interface Tally {
  documents: number
  invalid: number
  /** Requests that the compiled query answered */
  compiled: number
  /** Requests left to graphql-js, whose results have errors */
  errors: number
  /** Requests left to graphql-js although their results have no errors */
  notCompiled: number
}

async function compareDocument(subject: Subject, seed: number, tally: Tally): Promise<void> {
  const { source, requests } = generateDocument(subject.schema, seed, subject.suggest)
  const document = parse(source)
  if (validate(subject.schema, document).length > 0) {
    tally.invalid += 1
    return
  }
  tally.documents += 1
  const compiledQueries = new CompiledQueries({
    schema: subject.schema,
    memo: createMemo(subject.isShared),
    maxDocuments: 100,
    costOf: () => () => 0,
    compileAfterHits: 1,
  })
  compiledQueries.recordAnswer(source, document, 'no-store')
  for (const [index, request] of requests.entries()) {
    try {
      tally[await compare(subject, compiledQueries, document, { ...request, source, seed: seed + index })] += 1
    } catch (error) {
      const repeat = `DIFFERENTIAL_SEED=${seed} DIFFERENTIAL_DOCUMENTS=1`
      throw new Error(`${(error as Error).message}\n${repeat}\n${JSON.stringify({ ...request, index })}\n${source}`)
    }
  }
}

type Case = GeneratedRequest & { source: string; seed: number }

/** Returns how the request was answered. Throws if the answers of the compiled query and of graphql-js differ. */
async function compare(
  subject: Subject,
  compiledQueries: CompiledQueries,
  document: DocumentNode,
  testCase: Case,
): Promise<'compiled' | 'errors' | 'notCompiled'> {
  const expected = await executeStandard(subject, document, testCase, subject.createContext(testCase.seed))
  const context = subject.createContext(testCase.seed)
  const answer = await executeCompiled(compiledQueries, testCase, context)
  if (expected.errors === undefined && answer === undefined) {
    if (subject === shop && isCompilable(subject.schema, document))
      throw new Error('Not answered by the compiled query although it could be')
    return 'notCompiled'
  }
  if (expected.errors === undefined) {
    const text = JSON.stringify(expected.data)
    if (answer !== text) throw new Error(`Differs:\n${answer}\n${text}`)
    return 'compiled'
  }
  if (answer !== undefined)
    throw new Error(`The compiled query answered in spite of errors:\n${answer}\n${JSON.stringify(expected)}`)
  for (const error of await unhandledRejections.take()) throw new Error(`The compiled query left a rejection unhandled: ${error}`)
  // The standard execution continues with the same context. (Of several errors for the same path the first one wins, which is a
  // race.)
  const afterwards = await executeStandard(subject, document, testCase, context)
  const isSame = afterwards.errors !== undefined && JSON.stringify(afterwards.data) === JSON.stringify(expected.data)
  if (!isSame)
    throw new Error(
      `The answer differs after the compiled query has used the context:\n${JSON.stringify(afterwards)}\n${JSON.stringify(expected)}`,
    )
  return 'errors'
}

/** Executes as the standard path does; data that JSON cannot represent counts as an error. */
async function executeStandard({ schema }: Subject, document: DocumentNode, testCase: Case, contextValue: unknown) {
  const { variables: variableValues, operationName } = testCase
  const result = await execute({ schema, document, contextValue, variableValues, operationName: operationName ?? null })
  // graphql-js leaves rejections of a list's other items unhandled when one item throws.
  if (result.errors) await unhandledRejections.take()
  try {
    JSON.stringify(result)
    return result
  } catch (error) {
    return { errors: [error], data: null } as ExecutionResult
  }
}

/** Returns undefined if the request is left to the standard execution. */
async function executeCompiled(
  compiledQueries: CompiledQueries,
  { source, variables, operationName }: Case,
  context: unknown,
): Promise<string | undefined> {
  try {
    const answer = compiledQueries.run(
      { query: source, variables, operationName },
      () => true,
      () => context,
    )
    return answer && (await withinSomeTurns(answer.data))
  } catch (error) {
    if (error instanceof TimeoutError) throw error
    return undefined
  }
}

/** Throws if the answer takes more than 500 turns of the event loop, which nothing in these schemas does. */
async function withinSomeTurns<T>(answer: T | Promise<T>): Promise<T> {
  let settled = !(answer instanceof Promise)
  const settle = () => {
    settled = true
  }
  if (answer instanceof Promise) answer.then(settle, settle)
  for (let turn = 0; turn < 500 && !settled; turn += 1) await setImmediate()
  if (!settled) throw new TimeoutError('The compiled query never settled')
  return answer
}

class TimeoutError extends Error {}

/** Whether the document compiles with a lower limit than that of production */
function isCompilable(schema: GraphQLSchema, document: DocumentNode): boolean {
  try {
    compileQuery({ schema, maxSelections: 200, objectJsonCache }, document)
    return true
  } catch {
    return false
  }
}
