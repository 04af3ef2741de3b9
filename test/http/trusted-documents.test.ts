import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApolloServer } from '@apollo/server'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { noRedis, startRedis } from '../helpers/redis.js'
import { get, send } from '../helpers/send.js'

const name = 'query Name($id: ID!) { product(id: $id) { name } }'
const stock = 'mutation Stock { updateProductStock(productId: "product_1", stock: 6) { userErrors { code } } }'
const sha = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('hex')
const codegen = { [sha('sha1', name)]: name, [sha('sha1', stock)]: stock }
const apollo = {
  ...{ format: 'apollo-persisted-query-manifest', version: 1 },
  operations: [
    { id: sha('sha256', name), name: 'Name', type: 'query', body: name },
    { id: 'my-stock', name: 'Stock', type: 'mutation', body: stock },
  ],
}
const variables = { id: 'product_1' }
const persisted = (sha256Hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } })
const codeOf = ({ json }: Awaited<ReturnType<typeof send>>) => json.errors?.[0].extensions.code

let folder: string
let database: TestDatabase
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shop-manifest-'))
  database = await createDatabase()
})
afterAll(async () => {
  await database.drop()
  await rm(folder, { recursive: true })
})
afterEach(() => {
  vi.restoreAllMocks()
})

async function start(manifest: unknown, env: Record<string, string> = {}): Promise<TestApp> {
  const file = join(folder, 'manifest.json')
  await writeFile(file, typeof manifest === 'string' ? manifest : JSON.stringify(manifest))
  return startTestApp({ database, env: { TRUSTED_DOCUMENTS: file, CACHE_NEAR_MB: '8', ...env } })
}

describe.each([
  ['graphql-codegen', codegen, sha('sha1', name), sha('sha1', stock)],
  ['Apollo', apollo, sha('sha256', name), 'my-stock'],
])('documents of a manifest of %s', (_, manifest, nameId, stockId) => {
  let app: TestApp
  beforeAll(async () => {
    app = await start(manifest)
  })
  afterAll(() => app.stop())

  test('are executed by documentId, as a persisted query and by text, with POST and GET', async () => {
    const { text, headers } = await send(app.origin, { body: { query: name, variables } })
    const parameters = { variables: JSON.stringify(variables) }
    const answers = [
      await send(app.origin, { body: { documentId: nameId, variables } }),
      await send(app.origin, { body: { documentId: nameId, query: null, variables, operationName: 'Name' } }),
      await send(app.origin, { body: { ...persisted(nameId), variables } }),
      await get(app.origin, { documentId: nameId, ...parameters }),
      await get(app.origin, { extensions: JSON.stringify(persisted(nameId).extensions), ...parameters }),
    ]
    for (const answer of answers) {
      expect([answer.status, answer.text]).toEqual([200, text])
      expect(answer.headers['cache-control']).toBe(headers['cache-control'])
    }
    expect((await send(app.origin, { body: { documentId: stockId } })).json.data.updateProductStock.userErrors).toEqual([])
    expect((await get(app.origin, { documentId: stockId })).status).toBe(405)
  })

  test('are answered on the fast path when they are hot', async () => {
    for (let times = 0; times < 2; times += 1) await send(app.origin, { body: { documentId: nameId, variables } })
    const spy = vi.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest')
    for (const named of [{ documentId: nameId }, persisted(nameId), { documentId: nameId, ...{ extensions: {} } }]) {
      expect((await send(app.origin, { body: { ...named, variables } })).json.data.product.name).toEqual(expect.any(String))
    }
    expect(spy).not.toHaveBeenCalled()
  })

  test('do not exclude other documents, which may be sent and persisted', async () => {
    const query = '{ products(first: 1) { totalCount } }'
    const hash = sha('sha256', query)
    expect((await send(app.origin, { body: { query } })).status).toBe(200)
    expect(codeOf(await send(app.origin, { body: persisted(hash) }))).toBe('PERSISTED_QUERY_NOT_FOUND')
    await send(app.origin, { body: { query, ...persisted(hash) } })
    expect((await send(app.origin, { body: persisted(hash) })).json.data.products.totalCount).toEqual(expect.any(Number))
  })
})

describe('a documentId', () => {
  test('may have the prefix sha256:, as in the appendix of GraphQL over HTTP', async () => {
    const app = await start(apollo)
    try {
      const documentId = `sha256:${sha('sha256', name)}`
      expect((await send(app.origin, { body: { documentId, variables } })).status).toBe(200)
    } finally {
      await app.stop()
    }
  })

  test('that is unknown returns 400, with a code that clients know, with and without a manifest', async () => {
    for (const env of [{}, { TRUSTED_DOCUMENTS: '' }]) {
      const app = await start(codegen, env)
      try {
        for (const documentId of ['unknown', '', '__proto__', 'sha256:', 'constructor']) {
          const answer = await send(app.origin, { body: { documentId }, headers: { 'x-request-id': 'mine' } })
          expect(answer.status).toBe(400)
          expect(answer.json.errors[0].extensions).toEqual({ code: 'PERSISTED_QUERY_NOT_FOUND', requestId: 'mine' })
          expect(answer.headers['cache-control']).toBe('no-store')
        }
        expect((await get(app.origin, { documentId: 'unknown' })).status).toBe(400)
        expect(codeOf(await send(app.origin, { body: { documentId: 7 } }))).toBe('BAD_REQUEST')
      } finally {
        await app.stop()
      }
    }
  })
})

describe('a server that accepts only trusted documents', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await start(apollo, { TRUSTED_DOCUMENTS_ONLY: 'true' })
  })
  afterAll(() => app.stop())

  test('executes them by id and by text', async () => {
    for (const named of [{ documentId: sha('sha256', name) }, persisted(sha('sha256', name)), { query: name }]) {
      for (let times = 0; times < 3; times += 1) {
        expect((await send(app.origin, { body: { ...named, variables } })).json.data.product.name).toEqual(expect.any(String))
      }
    }
  })

  test.each([
    ['{ products { totalCount } }'],
    [`${name} `],
    ['{ __schema { queryType { name } } }'],
    ['{ nothing }'],
    ['{'],
    [''],
  ])('refuses any other document before it is parsed: %s', async (query) => {
    for (const answer of [await send(app.origin, { body: { query } }), await get(app.origin, { query })]) {
      expect([answer.status, codeOf(answer)]).toEqual([400, 'QUERY_NOT_IN_SAFELIST'])
    }
  })

  test('refuses an unknown id with a code that does not make clients send the text', async () => {
    const hash = sha('sha256', '{ __typename }')
    for (const named of [{ documentId: 'unknown' }, persisted(hash)]) {
      const answer = await send(app.origin, { body: named })
      expect([answer.status, codeOf(answer)]).toEqual([400, 'PERSISTED_QUERY_NOT_IN_LIST'])
    }
  })

  test('registers no persisted queries', async () => {
    const query = '{ __typename }'
    const registering = await send(app.origin, { body: { query, ...persisted(sha('sha256', query)) } })
    expect(codeOf(registering)).toBe('QUERY_NOT_IN_SAFELIST')
  })

  test.skipIf(noRedis)('refuses persisted queries from the same Redis, however the hash is written', async () => {
    const redis = await startRedis()
    const query = '{ __typename }'
    const hash = sha('sha256', query)
    await redis.client.set(`ecommerce:apq:${hash}`, query)
    const strict = await start(apollo, { TRUSTED_DOCUMENTS_ONLY: 'true', REDIS_URL: redis.url })
    try {
      const disguised = [
        persisted(hash),
        { extensions: { persistedQuery: { version: 1, sha256Hash: [hash] } } },
        { query: false, ...persisted(hash) },
        { query: [], ...persisted(hash) },
        { query: name, variables, ...persisted(hash) },
        { documentId: [sha('sha256', name)] },
      ]
      for (const body of disguised) {
        const { json } = await send(strict.origin, { body })
        expect(json).toEqual({ errors: [expect.anything()] })
      }
    } finally {
      await strict.stop()
      await redis.stop()
    }
  })
})

describe('an invalid manifest prevents the start', () => {
  test.each<[string, unknown, string]>([
    ['invalid JSON', '{', 'is not JSON'],
    ['something else', '[]', 'is neither'],
    ['another version', { ...apollo, version: 2 }, 'is neither'],
    ['nothing', {}, 'it has no operations'],
    ['a syntax error', { a1: 'query Broken {' }, 'a1: Syntax Error'],
    ['an unknown field', { a1: 'query Broken { nothing }' }, 'Broken: Cannot query field "nothing" on type "Query"'],
    [
      'an operation of Apollo that the schema does not have',
      { ...apollo, operations: [{ id: 'x', name: 'Its', type: 'query', body: '{ nothing }' }] },
      'Its: Cannot query field',
    ],
    [
      'a document that is too long',
      { a: '{ __typename } '.padEnd(32_769, '#\n') },
      'a: has 32769 characters, the maximum is 32768',
    ],
    ['a document with too many tokens', { a: `{ ${'a '.repeat(1_000)} }` }, 'more that 1000 tokens'],
    [
      'a document that is too wide',
      { a: `{ ${'__typename '.repeat(21)} }` },
      'Limit exceeded: rootFields: 21, but at most 20 are allowed',
    ],
    ['an id twice', { ...apollo, operations: [apollo.operations[0], apollo.operations[0]] }, 'occurs twice'],
    ['many problems', Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`a${index}`, '{'])), 'and 4 more'],
  ])('%s', async (_, manifest, message) => {
    await expect(start(manifest)).rejects.toThrow(message)
    await expect(start(manifest)).rejects.toThrow(/^Bad configuration:\n {2}TRUSTED_DOCUMENTS names .*manifest\.json, which /)
  })

  test('a missing file', async () => {
    const env = { TRUSTED_DOCUMENTS: join(folder, 'nowhere.json') }
    await expect(startTestApp({ database, env })).rejects.toThrow(/TRUSTED_DOCUMENTS names a file that cannot be read: ENOENT/)
  })

  test('no manifest, if only trusted documents are accepted', async () => {
    await expect(startTestApp({ database, env: { TRUSTED_DOCUMENTS_ONLY: 'true' } }).then((app) => app.stop())).rejects.toThrow(
      'TRUSTED_DOCUMENTS_ONLY is true, but there are no trusted documents',
    )
  })
})
