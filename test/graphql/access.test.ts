import { getNamedType, isLeafType, isObjectType } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSchema } from '../../src/graphql/schema.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { adminToken, ask, customerToken, secret } from '../helpers/tokens.js'

/** The result of a field: a value, null as if the object did not exist, or an error code */
type Outcome = 'answer' | 'null' | 'UNAUTHENTICATED' | 'FORBIDDEN'
/** For an anonymous viewer, the user who owns the object, another user, an administrator */
type Access = readonly [anonymous: Outcome, owner: Outcome, other: Outcome, admin: Outcome]

const forEveryone: Access = ['answer', 'answer', 'answer', 'answer']
const forOwner: Access = ['UNAUTHENTICATED', 'answer', 'null', 'answer']
const ownedNode: Access = ['null', 'answer', 'null', 'answer']
const forOneself: Access = ['UNAUTHENTICATED', 'answer', 'FORBIDDEN', 'answer']
const forAdministrators: Access = ['UNAUTHENTICATED', 'FORBIDDEN', 'FORBIDDEN', 'answer']

const update = 'updateUser(input: { id: "user_1", name: "New" })'
const order = 'createOrder(input: { userId: "user_1", productIds: ["product_1"] })'
const product = 'createProducts(inputs: [{ name: "A", price: 1, stock: 1, category: "A" }])'

/** All fields of the schema. A test fails if one is missing here: decide who may see it. */
const fields: Record<string, { document: (field: string) => string; access: Record<string, Access> }> = {
  Query: {
    document: (field) => `{ ${field} }`,
    access: {
      'node(id: "order_1") { id }': ownedNode,
      'nodes(ids: ["product_1"]) { id }': forEveryone,
      'user(id: "user_1") { id }': forOwner,
      'users { totalCount }': forAdministrators,
      'product(id: "product_1") { id }': forEveryone,
      'products { totalCount }': forEveryone,
      'order(id: "order_1") { id }': forOwner,
      'stats { asOf }': forEveryone,
      'cacheInfo { backend }': forAdministrators,
    },
  },
  Mutation: {
    document: (field) => `mutation { ${field} }`,
    access: {
      'createUser(input: { email: "a@example.com", name: "A" }) { __typename }': forAdministrators,
      [`${update} { __typename }`]: forOneself,
      'deleteUser(id: "user_1") { __typename }': forOneself,
      [`${product} { __typename }`]: forAdministrators,
      'updateProductStock(productId: "product_2", stock: 7) { __typename }': forAdministrators,
      'deleteCategory(category: "none") { __typename }': forAdministrators,
      [`${order} { __typename }`]: forOneself,
      'warmUpCache(limit: 1) { __typename }': forAdministrators,
      'flushCache(namespace: USERS) { __typename }': forAdministrators,
    },
  },
  User: { document: (field) => `{ user(id: "user_1") { ${field} } }`, access: all('id email name createdAt orders', forOwner) },
  Order: {
    document: (field) => `{ order(id: "order_1") { ${field} } }`,
    access: all('id userId productIds total createdAt user products', forOwner),
  },
  Product: {
    document: (field) => `{ product(id: "product_1") { ${field} } }`,
    access: all('id name price stock category', forEveryone),
  },
  Stats: {
    document: (field) => `{ stats { ${field} } }`,
    access: {
      ...all('totalProducts cacheHitRate asOf', forEveryone),
      ...all('totalUsers totalOrders revenue caches', forAdministrators),
    },
  },
  CacheStats: {
    document: (field) => `{ stats { caches { ${field} } } }`,
    access: all(
      'namespace hits negativeHits staleHits misses nearHits coalesced leaseWaits shed fills invalidations errors unavailable refused corrupt failedRefills audited wrong accuracy rightRate hitRate ttlSeconds', // rightRate is deprecated
      forAdministrators,
    ),
  },
  CacheInfo: {
    document: (field) => `{ cacheInfo { ${field} } }`,
    access: all('backend available version usedMemoryBytes uptimeSeconds connectedClients keys', forAdministrators),
  },
  UserConnection: {
    document: (field) => `{ users { ${field} } }`,
    access: all('edges nodes pageInfo totalCount', forAdministrators),
  },
  UserEdge: { document: (field) => `{ users { edges { ${field} } } }`, access: all('cursor node', forAdministrators) },
  ProductConnection: {
    document: (field) => `{ products { ${field} } }`,
    access: all('edges nodes pageInfo totalCount', forEveryone),
  },
  ProductEdge: { document: (field) => `{ products { edges { ${field} } } }`, access: all('cursor node', forEveryone) },
  OrderConnection: {
    document: (field) => `{ user(id: "user_1") { orders { ${field} } } }`,
    access: all('edges nodes pageInfo totalCount', forOwner),
  },
  OrderEdge: {
    document: (field) => `{ user(id: "user_1") { orders { edges { ${field} } } } }`,
    access: all('cursor node', forOwner),
  },
  PageInfo: {
    document: (field) => `{ products { pageInfo { ${field} } } }`,
    access: all('hasNextPage hasPreviousPage startCursor endCursor', forEveryone),
  },
  UserPayload: { document: (field) => `mutation { ${update} { ${field} } }`, access: all('user userErrors', forOneself) },
  UserError: {
    document: (field) => `mutation { ${update.replace('New', '')} { userErrors { ${field} } } }`,
    access: all('code message field', forOneself),
  },
  DeleteUserPayload: {
    document: (field) => `mutation { deleteUser(id: "user_1") { ${field} } }`,
    access: all('deletedUserId userErrors', forOneself),
  },
  OrderPayload: {
    document: (field) => `mutation { ${order} { ${field} } }`,
    access: all('order replayed userErrors', forOneself),
  },
  CreateProductsPayload: {
    document: (field) => `mutation { ${product} { ${field} } }`,
    access: all('products userErrors', forAdministrators),
  },
  ProductPayload: {
    document: (field) => `mutation { updateProductStock(productId: "product_2", stock: 7) { ${field} } }`,
    access: all('product userErrors', forAdministrators),
  },
  DeleteCategoryPayload: {
    document: (field) => `mutation { deleteCategory(category: "none") { ${field} } }`,
    access: all('deletedCount userErrors', forAdministrators),
  },
  WarmUpCachePayload: {
    document: (field) => `mutation { warmUpCache(limit: 1) { ${field} } }`,
    access: all('warmed', forAdministrators),
  },
  WarmedNamespace: {
    document: (field) => `mutation { warmUpCache(limit: 1) { warmed { ${field} } } }`,
    access: all('namespace entries', forAdministrators),
  },
  FlushCachePayload: {
    document: (field) => `mutation { flushCache(namespace: USERS) { ${field} } }`,
    access: all('namespace', forAdministrators),
  },
}

function all(names: string, access: Access): Record<string, Access> {
  return Object.fromEntries(names.split(' ').map((name) => [name, access]))
}

const schema = createSchema()
const cases = Object.entries(fields).flatMap(([type, { document, access }]) =>
  Object.entries(access).map(([field, expected]) => ({
    field: `${type}.${nameOf(field)}`,
    document: document(selectionOf(type, field)),
    expected,
  })),
)

function nameOf(field: string): string {
  return /^\w+/.exec(field)?.[0] ?? ''
}

/** The field, with a selection if its type needs one */
function selectionOf(type: string, field: string): string {
  const parent = schema.getType(type)
  const definition = isObjectType(parent) ? parent.getFields()[nameOf(field)] : undefined
  return !definition || isLeafType(getNamedType(definition.type)) || field.includes('{') ? field : `${field} { __typename }`
}

/** test/live/access.test.ts covers these types. */
const subscriptionTypes = ['Subscription', 'ProductChange']

test('the access to every field of the schema is tested here', () => {
  const types = Object.values(schema.getTypeMap()).filter(
    (type) => isObjectType(type) && !type.name.startsWith('__') && !subscriptionTypes.includes(type.name),
  )
  const fieldNames = types.flatMap((type) =>
    isObjectType(type) ? Object.keys(type.getFields()).map((name) => `${type.name}.${name}`) : [],
  )
  expect(cases.map(({ field }) => field).toSorted()).toEqual(fieldNames.toSorted())
})

describe('with a secret', () => {
  let app: TestApp
  let tokens: (string | null)[]
  beforeAll(async () => {
    app = await startTestApp({ env: { AUTH_JWT_SECRET: secret } })
    // The first order of the demo data must belong to the first user.
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
    // A rejected field was not loaded.
    if (code !== undefined) expect(app.takeStatements()).toEqual([])
    return code ?? (Object.values(data ?? {})[0] === null ? 'null' : 'answer')
  }

  test.each(cases)('$field: $document', async ({ document, expected }) => {
    const outcomes: Outcome[] = []
    for (const token of tokens) outcomes.push(await outcomeFor(token, document))
    expect(outcomes).toEqual(expected)
  })

  test('a rejected field does not affect the rest of the response', async () => {
    const document = '{ product(id: "product_1") { id } user(id: "user_1") { name } }'
    const { data, errors } = await ask(app, null, document)
    expect(data).toEqual({ product: { id: 'product_1' }, user: null })
    expect(errors).toMatchObject([{ path: ['user'], extensions: { code: 'UNAUTHENTICATED', requestId: expect.any(String) } }])
  })

  test("another user's object looks like one that does not exist", async () => {
    const document = `query Look($order: ID!, $user: ID!) {
      order(id: $order) { id } user(id: $user) { id } node(id: $order) { id } nodes(ids: [$order, $user, "product_1"]) { id }
    }`
    const other = await ask(app, tokens[2] ?? '', document, { order: 'order_1', user: 'user_1' })
    const none = await ask(app, tokens[2] ?? '', document, { order: 'order_999999', user: 'user_999999' })
    const { data, errors, status } = other
    expect({ data, errors, status }).toEqual({ data: none.data, errors: none.errors, status: none.status })
    expect(data?.nodes).toEqual([null, null, { id: 'product_1' }])
  })

  test('a change to another user is rejected in the same way whether or not the user exists', async () => {
    const rename = 'mutation Rename($id: ID!) { updateUser(input: { id: $id, name: "Mallory" }) { user { id } } }'
    const rejections = []
    for (const id of ['user_1', 'user_999999', 'user_02', '']) rejections.push(await ask(app, tokens[2] ?? '', rename, { id }))
    const codes = rejections.map(({ data, errors }) => [data, errors?.[0]?.message, errors?.[0]?.extensions.code])
    expect(new Set(codes.map((code) => JSON.stringify(code))).size).toBe(1)
    expect(codes[0]).toEqual([null, 'Your token does not allow this', 'FORBIDDEN'])
  })

  test('only administrators can find out whether an email address is used', async () => {
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

  test("an idempotency key of another user's order creates a new order and does not reveal that it was used", async () => {
    const buy = `mutation Buy($user: ID!) {
      createOrder(input: { userId: $user, productIds: ["product_1"] }, idempotencyKey: "guessed") { order { id } userErrors { code } }
    }`
    const { data: first } = await ask(app, tokens[1] ?? '', buy, { user: 'user_1' })
    const { data: second } = await ask(app, tokens[2] ?? '', buy, { user: 'user_2' })
    expect(second?.createOrder).toEqual({ order: { id: expect.any(String) }, userErrors: [] })
    expect(second?.createOrder.order.id).not.toBe(first?.createOrder.order.id)
  })
})
