import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { post, postBody } from '../helpers/post.js'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const repeat = (count: number, part: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => part(index)).join(' ')

/** A document with this depth */
function deep(levels: number): string {
  const [path, leaves] = [
    ['orders(first: 1)', 'nodes', 'user'],
    ['id', 'totalCount', 'id'],
  ] as const
  const inner = levels - 2
  return `{ user(id: "user_1") { ${repeat(inner, (level) => `${path[level % 3]} {`)} ${leaves[inner % 3]} ${'}'.repeat(inner)} } }`
}

/** A document with this number of fields: the product, and most of its fields in spreads of a fragment with nine fields. */
function fields(count: number): string {
  const selections = `${repeat(Math.floor((count - 1) / 9), () => '...Nine')} ${repeat((count - 1) % 9, () => 'id')}`
  return `{ product(id: "product_1") { ${selections} } } fragment Nine on Product { ${repeat(9, () => 'name')} }`
}

const limits: [limit: string, maximum: number, document: (count: number) => string][] = [
  ['characters', 32_768, (count) => '{ __typename } '.padEnd(count, '#\n')],
  ['depth', 20, deep],
  ['fields', 1_000, fields],
  ['rootFields', 20, (count) => `{ ${repeat(count, () => '__typename')} }`],
  ['aliases', 30, (count) => `{ stats { ${repeat(count, (index) => `a${index}: revenue`)} } }`],
  ['characters of a name', 256, (count) => `{ ${'a'.repeat(count)}: __typename }`],
  ['directives', 50, (count) => `{ product(id: "product_1") { id ${repeat(count, () => 'name @include(if: true)')} } }`],
  ['Query.nodes(ids:)', 100, (count) => `{ nodes(ids: [${repeat(count, () => '"product_1"')}]) { id } }`],
]

const rows: Record<string, string> = {
  characters: 'characters of a document',
  depth: 'depth',
  fields: 'fields of an operation',
  rootFields: 'root fields',
  aliases: 'aliases',
  directives: 'directives',
  'characters of a name': 'characters of a name',
  'Query.nodes(ids:)': 'values of a list of arguments',
}

describe('a document', () => {
  test.each(limits)('has the limit of %s, %i, that docs/security.md states', (limit, maximum) => {
    const rowPattern = /^\| ([^|:]+)[^|]* \| ([\d,]+)/gm
    const documented = new Map(
      [...readFileSync('docs/security.md', 'utf8').matchAll(rowPattern)].map(([, name, maximum]) => [name?.trim(), maximum]),
    )
    expect(documented.get(rows[limit])).toBe(maximum.toLocaleString('en'))
  })

  test.each(limits)('is answered at the limit of %s, %i, and rejected above it', async (limit, maximum, document) => {
    expect(await post(app, document(maximum))).toMatchObject({ status: 200, data: expect.any(Object) })
    const rejected = await post(app, document(maximum + 1))
    expect(rejected.status).toBe(400)
    expect(rejected.data).toBeUndefined()
    expect(rejected.errors).toEqual([
      expect.objectContaining({
        message: `Limit exceeded: ${limit}: ${maximum + 1}, but at most ${maximum} are allowed`,
        extensions: expect.objectContaining({ code: 'LIMIT_EXCEEDED', limit, requested: maximum + 1, maximum }),
      }),
    ])
  })

  test('may have at most 1000 tokens', async () => {
    const document = (tokens: number) =>
      `mutation { createOrder(input: { userId: "user_1", productIds: [${repeat(tokens - 20, () => '"product_1"')}] }) { replayed } }`
    expect((await post(app, document(1_000))).status).toBe(200)
    expect(await post(app, document(1_001))).toMatchObject({
      status: 400,
      errors: [{ message: 'Limit exceeded: tokens: at most 1000 are allowed', extensions: { code: 'LIMIT_EXCEEDED' } }],
    })
  })

  test('may have four nested connections, and may be the introspection query of common tools', async () => {
    const connection = (inner: string) => `orders(first: 1) { edges { node { user { ${inner} } } } }`
    const { status } = await post(app, `{ user(id: "user_1") { ${connection(connection(connection(connection('id'))))} } }`)
    expect(status).toBe(200)
    const { getIntrospectionQuery } = await import('graphql')
    const everything = { specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true }
    expect((await post(app, getIntrospectionQuery(everything))).status).toBe(200)
  })

  test('counts fragments at each spread, even if their number grows exponentially', async () => {
    const doubling = repeat(
      40,
      (index) => `fragment F${index} on User { ...F${index + 1} orders { nodes { user { ...F${index + 1} } } } }`,
    )
    const { errors } = await post(app, `{ user(id: "user_1") { ...F0 } } ${doubling} fragment F40 on User { id }`)
    expect(errors?.map(({ extensions }) => (extensions as { limit?: string }).limit)).toEqual(['depth', 'fields'])
  })

  test('with circular fragments is rejected with an error about that', async () => {
    const { status, errors } = await post(
      app,
      '{ user(id: "user_1") { ...A } } fragment A on User { ...B } fragment B on User { ...A }',
    )
    expect(status).toBe(400)
    expect(errors?.[0]?.message).toContain('Cannot spread fragment "A" within itself')
  })

  test('that repeats a field very often is not checked for conflicts indefinitely', async () => {
    const { status, errors } = await post(app, `{ product(id: "product_1") { ${repeat(980, () => 'id')} } }`)
    expect(status).toBe(400)
    expect(errors).toEqual([expect.objectContaining({ extensions: expect.objectContaining({ code: 'LIMIT_EXCEEDED' }) })])
  })

  test('is validated up to 20 errors', async () => {
    const { errors } = await post(
      app,
      `{ ${repeat(20, () => 'nothing')} product(id: "product_1") { ${repeat(20, () => 'no')} } }`,
    )
    expect(errors).toHaveLength(21)
  })
})

describe('a list argument', () => {
  const nodes = 'query($ids: [ID!]!) { nodes(ids: $ids) { id } }'

  test('counts the items of its variable, also when the document is compiled', async () => {
    const ids = (length: number) => ({ ids: Array(length).fill('product_1') })
    for (let time = 0; time < 4; time += 1) expect((await post(app, nodes, ids(100))).status).toBe(200)
    expect(await post(app, nodes, ids(101))).toMatchObject({ status: 400, errors: [{ extensions: { code: 'LIMIT_EXCEEDED' } }] })
    expect((await post(app, nodes, ids(100))).status).toBe(200)
  })

  test('of inputs may have at most 500 items, and otherwise nothing is changed', async () => {
    const count = async () => (await app.query('{ products { totalCount } }')).data.products.totalCount
    const before = await count()
    const product = { name: 'New', price: 1, stock: 1, category: 'New' }
    const create = 'mutation($inputs: [CreateProductInput!]!) { createProducts(inputs: $inputs) { userErrors { code } } }'
    const rejected = await post(app, create, { inputs: Array(501).fill(product) })
    expect(rejected).toMatchObject({ status: 400, errors: [{ extensions: { code: 'LIMIT_EXCEEDED', maximum: 500 } }] })
    expect(await count()).toBe(before)
    expect((await post(app, create, { inputs: Array(500).fill(product) })).status).toBe(200)
    expect(await count()).toBe(before + 500)
  })
})

test('a body may have at most 512 KB', async () => {
  const body = (bytes: number) => {
    const [start, end] = ['{"query":"{ __typename }","padding":"', '"}']
    return `${start}${'x'.repeat(bytes - start.length - end.length)}${end}`
  }
  expect((await postBody(app, body(512 * 1024))).status).toBe(200)
  expect(await postBody(app, body(512 * 1024 + 1))).toMatchObject({
    status: 413,
    errors: [{ extensions: { code: 'BAD_REQUEST' } }],
  })
})

test('500 products with names of maximum length fit', async () => {
  const product = { name: '漢'.repeat(200), price: 999_999.99, stock: 2_147_483_647, category: '漢'.repeat(100) }
  const create = 'mutation($inputs: [CreateProductInput!]!) { createProducts(inputs: $inputs) { userErrors { code } } }'
  const { status, data } = await post(app, create, { inputs: Array(500).fill(product) })
  expect({ status, data }).toEqual({ status: 200, data: { createProducts: { userErrors: [] } } })
})
