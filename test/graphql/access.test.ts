import { getNamedType, isLeafType, isObjectType } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSchema } from '../../src/graphql/schema.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { adminToken, ask, customerToken, secret } from '../helpers/tokens.js'

/** What becomes of a field: the answer, null as if it were not there, or a refusal */
type Outcome = 'answer' | 'null' | 'UNAUTHENTICATED' | 'FORBIDDEN'
/** For nobody in particular, the user whose it is, another user, an administrator */
type Access = readonly [anonymous: Outcome, owner: Outcome, other: Outcome, admin: Outcome]

const everyones: Access = ['answer', 'answer', 'answer', 'answer']
const owners: Access = ['UNAUTHENTICATED', 'answer', 'null', 'answer']
const ownersNode: Access = ['null', 'answer', 'null', 'answer']
const oneselfs: Access = ['UNAUTHENTICATED', 'answer', 'FORBIDDEN', 'answer']
const administrators: Access = ['UNAUTHENTICATED', 'FORBIDDEN', 'FORBIDDEN', 'answer']

const update = 'updateUser(input: { id: "user_1", name: "New" })'
const order = 'createOrder(input: { userId: "user_1", productIds: ["product_1"] })'
const product = 'createProducts(inputs: [{ name: "A", price: 1, stock: 1, category: "A" }])'

/** Every field that there is. One that is missing here fails a test: decide who may see it. */
const fields: Record<string, { document: (field: string) => string; access: Record<string, Access> }> = {
  Query: {
    document: (field) => `{ ${field} }`,
    access: {
      'node(id: "order_1") { id }': ownersNode,
      'nodes(ids: ["product_1"]) { id }': everyones,
      'user(id: "user_1") { id }': owners,
      'users { totalCount }': administrators,
      'product(id: "product_1") { id }': everyones,
      'products { totalCount }': everyones,
      'order(id: "order_1") { id }': owners,
      'stats { asOf }': everyones,
      'cacheInfo { backend }': administrators,
    },
  },
  Mutation: {
    document: (field) => `mutation { ${field} }`,
    access: {
      'createUser(input: { email: "a@example.com", name: "A" }) { __typename }': administrators,
      [`${update} { __typename }`]: oneselfs,
      'deleteUser(id: "user_1") { __typename }': oneselfs,
      [`${product} { __typename }`]: administrators,
      'updateProductStock(productId: "product_2", stock: 7) { __typename }': administrators,
      'deleteCategory(category: "none") { __typename }': administrators,
      [`${order} { __typename }`]: oneselfs,
      'warmUpCache(limit: 1) { __typename }': administrators,
      'flushCache(namespace: USERS) { __typename }': administrators,
    },
  },
  User: { document: (field) => `{ user(id: "user_1") { ${field} } }`, access: all('id email name createdAt orders', owners) },
  Order: {
    document: (field) => `{ order(id: "order_1") { ${field} } }`,
    access: all('id userId productIds total createdAt user products', owners),
  },
  Product: {
    document: (field) => `{ product(id: "product_1") { ${field} } }`,
    access: all('id name price stock category', everyones),
  },
  Stats: {
    document: (field) => `{ stats { ${field} } }`,
    access: {
      ...all('totalProducts cacheHitRate asOf', everyones),
      ...all('totalUsers totalOrders revenue caches', administrators),
    },
  },
  CacheStats: {
    document: (field) => `{ stats { caches { ${field} } } }`,
    access: all(
      'namespace hits negativeHits staleHits misses nearHits coalesced leaseWaits shed fills invalidations errors unavailable refused corrupt failedRefills audited wrong rightRate hitRate ttlSeconds',
      administrators,
    ),
  },
  CacheInfo: {
    document: (field) => `{ cacheInfo { ${field} } }`,
    access: all('backend available version usedMemoryBytes uptimeSeconds connectedClients keys', administrators),
  },
  UserConnection: {
    document: (field) => `{ users { ${field} } }`,
    access: all('edges nodes pageInfo totalCount', administrators),
  },
  UserEdge: { document: (field) => `{ users { edges { ${field} } } }`, access: all('cursor node', administrators) },
  ProductConnection: {
    document: (field) => `{ products { ${field} } }`,
    access: all('edges nodes pageInfo totalCount', everyones),
  },
  ProductEdge: { document: (field) => `{ products { edges { ${field} } } }`, access: all('cursor node', everyones) },
  OrderConnection: {
    document: (field) => `{ user(id: "user_1") { orders { ${field} } } }`,
    access: all('edges nodes pageInfo totalCount', owners),
  },
  OrderEdge: {
    document: (field) => `{ user(id: "user_1") { orders { edges { ${field} } } } }`,
    access: all('cursor node', owners),
  },
  PageInfo: {
    document: (field) => `{ products { pageInfo { ${field} } } }`,
    access: all('hasNextPage hasPreviousPage startCursor endCursor', everyones),
  },
  UserPayload: { document: (field) => `mutation { ${update} { ${field} } }`, access: all('user userErrors', oneselfs) },
  UserError: {
    document: (field) => `mutation { ${update.replace('New', '')} { userErrors { ${field} } } }`,
    access: all('code message field', oneselfs),
  },
  DeleteUserPayload: {
    document: (field) => `mutation { deleteUser(id: "user_1") { ${field} } }`,
    access: all('deletedUserId userErrors', oneselfs),
  },
  OrderPayload: { document: (field) => `mutation { ${order} { ${field} } }`, access: all('order replayed userErrors', oneselfs) },
  CreateProductsPayload: {
    document: (field) => `mutation { ${product} { ${field} } }`,
    access: all('products userErrors', administrators),
  },
  ProductPayload: {
    document: (field) => `mutation { updateProductStock(productId: "product_2", stock: 7) { ${field} } }`,
    access: all('product userErrors', administrators),
  },
  DeleteCategoryPayload: {
    document: (field) => `mutation { deleteCategory(category: "none") { ${field} } }`,
    access: all('deletedCount userErrors', administrators),
  },
  WarmUpCachePayload: {
    document: (field) => `mutation { warmUpCache(limit: 1) { ${field} } }`,
    access: all('warmed', administrators),
  },
  WarmedNamespace: {
    document: (field) => `mutation { warmUpCache(limit: 1) { warmed { ${field} } } }`,
    access: all('namespace entries', administrators),
  },
  FlushCachePayload: {
    document: (field) => `mutation { flushCache(namespace: USERS) { ${field} } }`,
    access: all('namespace', administrators),
  },
}

function all(names: string, access: Access): Record<string, Access> {
  return Object.fromEntries(names.split(' ').map((name) => [name, access]))
}

const schema = createSchema()
const cases = Object.entries(fields).flatMap(([type, { document, access }]) =>
  Object.entries(access).map(([field, its]) => ({
    place: `${type}.${nameOf(field)}`,
    document: document(selectionOf(type, field)),
    its,
  })),
)

function nameOf(field: string): string {
  return /^\w+/.exec(field)?.[0] ?? ''
}

/** The field, with a selection where it needs one */
function selectionOf(type: string, field: string): string {
  const parent = schema.getType(type)
  const its = isObjectType(parent) ? parent.getFields()[nameOf(field)] : undefined
  return !its || isLeafType(getNamedType(its.type)) || field.includes('{') ? field : `${field} { __typename }`
}

/** Of these test/live/access.test.ts says it. */
const ofSubscriptions = ['Subscription', 'ProductChange']

test('for every field of the schema it is said who may use it', () => {
  const types = Object.values(schema.getTypeMap()).filter(
    (type) => isObjectType(type) && !type.name.startsWith('__') && !ofSubscriptions.includes(type.name),
  )
  const places = types.flatMap((type) =>
    isObjectType(type) ? Object.keys(type.getFields()).map((name) => `${type.name}.${name}`) : [],
  )
  expect(cases.map(({ place }) => place).toSorted()).toEqual(places.toSorted())
})

describe('with a secret', () => {
  let app: TestApp
  let tokens: (string | null)[]
  beforeAll(async () => {
    app = await startTestApp({ env: { AUTH_JWT_SECRET: secret } })
    // The demo's first order becomes that of its first user.
    await app.database.sql`update orders set user_id = 1 where id = 1`
    await app.database.sql`update products set stock = 1000 where id = 1`
    tokens = [null, await customerToken('user_1'), await customerToken('user_2'), await adminToken()]
  })
  afterAll(() => app.stop())

  async function outcomeFor(token: string | null, document: string): Promise<Outcome> {
    app.takeStatements()
    const { status, headers, data, errors } = await ask(app, token, document)
    const code = errors?.[0]?.extensions.code as Outcome | undefined
    expect(status).toBe(code === 'UNAUTHENTICATED' ? 401 : 200)
    expect(headers.get('www-authenticate')).toBe(code === 'UNAUTHENTICATED' ? 'Bearer realm="graphql"' : null)
    // What is refused was not even looked at.
    if (code !== undefined) expect(app.takeStatements()).toEqual([])
    return code ?? (Object.values(data ?? {})[0] === null ? 'null' : 'answer')
  }

  test.each(cases)('$place: $document', async ({ document, its }) => {
    const outcomes: Outcome[] = []
    for (const token of tokens) outcomes.push(await outcomeFor(token, document))
    expect(outcomes).toEqual(its)
  })

  test('what is refused leaves the rest of the answer as it is', async () => {
    const document = '{ product(id: "product_1") { id } user(id: "user_1") { name } }'
    const { data, errors } = await ask(app, null, document)
    expect(data).toEqual({ product: { id: 'product_1' }, user: null })
    expect(errors).toMatchObject([{ path: ['user'], extensions: { code: 'UNAUTHENTICATED', requestId: expect.any(String) } }])
  })

  test('what belongs to somebody else looks like what there is not', async () => {
    const document = `query Look($order: ID!, $user: ID!) {
      order(id: $order) { id } user(id: $user) { id } node(id: $order) { id } nodes(ids: [$order, $user, "product_1"]) { id }
    }`
    const other = await ask(app, tokens[2] ?? '', document, { order: 'order_1', user: 'user_1' })
    const none = await ask(app, tokens[2] ?? '', document, { order: 'order_999999', user: 'user_999999' })
    const { data, errors, status } = other
    expect({ data, errors, status }).toEqual({ data: none.data, errors: none.errors, status: none.status })
    expect(data?.nodes).toEqual([null, null, { id: 'product_1' }])
  })

  test('a change for somebody else is refused alike, whether or not they exist', async () => {
    const rename = 'mutation Rename($id: ID!) { updateUser(input: { id: $id, name: "Mallory" }) { user { id } } }'
    const refusals = []
    for (const id of ['user_1', 'user_999999', 'user_02', '']) refusals.push(await ask(app, tokens[2] ?? '', rename, { id }))
    const codes = refusals.map(({ data, errors }) => [data, errors?.[0]?.message, errors?.[0]?.extensions.code])
    expect(new Set(codes.map((its) => JSON.stringify(its))).size).toBe(1)
    expect(codes[0]).toEqual([null, 'Your token does not allow this', 'FORBIDDEN'])
  })

  test('whether somebody has an address is told to administrators only', async () => {
    const move =
      'mutation Move($email: String) { updateUser(input: { id: "user_1", name: "Me", email: $email }) { user { name } userErrors { code } } }'
    const taken = (await ask(app, tokens[3] ?? '', '{ user(id: "user_2") { email } }')).data?.user.email
    for (const address of [taken, 'nobody@example.com']) {
      const { data, errors } = await ask(app, tokens[1] ?? '', move, { email: address })
      expect([data, errors?.[0]?.extensions.code]).toEqual([null, 'FORBIDDEN'])
    }
    expect((await ask(app, tokens[1] ?? '', move, { email: null })).data?.updateUser).toEqual({
      user: { name: 'Me' },
      userErrors: [],
    })
    expect((await ask(app, tokens[3] ?? '', move, { email: taken })).data?.updateUser.userErrors).toEqual([
      { code: 'ALREADY_EXISTS' },
    ])
  })

  test("the key of somebody else's order leads to an order of one's own, and does not show that it was used", async () => {
    const buy = `mutation Buy($user: ID!) {
      createOrder(input: { userId: $user, productIds: ["product_1"] }, idempotencyKey: "guessed") { order { id } userErrors { code } }
    }`
    const { data: first } = await ask(app, tokens[1] ?? '', buy, { user: 'user_1' })
    const { data: second } = await ask(app, tokens[2] ?? '', buy, { user: 'user_2' })
    expect(second?.createOrder).toEqual({ order: { id: expect.any(String) }, userErrors: [] })
    expect(second?.createOrder.order.id).not.toBe(first?.createOrder.order.id)
  })
})
