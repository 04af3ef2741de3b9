import { parse } from 'graphql'
import { createSchema } from '../../../../src/graphql/schema.js'
import { administrator } from '../../../../src/platform/auth/viewer.js'
import { CompiledQueries } from '../../src/compiled-queries/compiled-queries.js'
import { createMemo } from './memo.js'
import { createShopContext } from './shop.js'

export const schema = createSchema()
const context = createShopContext({ seed: 1, viewer: administrator, immediateShare: 1, failureShare: 0, invalidRows: false })

export function createCompiledQueries(maxDocuments: number): CompiledQueries {
  return new CompiledQueries({
    schema,
    memo: createMemo((value) => 'id' in value),
    maxDocuments,
    costOf: () => () => 0,
    compileAfterHits: 2,
  })
}

/** Records enough answers for the document to be compiled, then runs it. */
export function runCompiled(compiledQueries: CompiledQueries, source: string) {
  const document = parse(source)
  for (let times = 0; times < 2; times += 1) compiledQueries.recordAnswer(source, document, 'no-store')
  return compiledQueries.run(
    { query: source, variables: {}, operationName: undefined },
    () => true,
    () => context,
  )?.data
}
