import { createHash } from 'node:crypto'
import { getIntrospectionQuery } from 'graphql'
import { shopSize } from './queries.js'

/** A kind of request, for which the charged points are compared with the CPU time */
export interface CostShape {
  name: string
  /** Creates the request with this number, from 0 */
  request: (index: number) => CostRequest
  /** Set for requests whose data is not cached: how many can be sent before they request the same data again */
  maxCold?: number
  /** Maximum number of requests, for those that change much data or take long */
  max?: number
}

export interface CostRequest {
  query?: string
  variables?: Record<string, unknown>
  /** Raw body, in place of query and variables */
  body?: string
  path?: string
  headers?: Record<string, string>
}

const productFields = 'id name price stock category'
const userFields = 'id email name createdAt'
const orderFields = 'id userId productIds total createdAt'
const pageInfo = 'pageInfo { hasNextPage hasPreviousPage startCursor endCursor }'
const userErrors = 'userErrors { code message field }'
const countsOfCaches = `namespace hits negativeHits staleHits misses nearHits coalesced leaseWaits shed fills invalidations errors
  unavailable refused corrupt failedRefills audited wrong accuracy rightRate hitRate ttlSeconds` // rightRate is deprecated
const byId = 'query ById($id: ID!) { product(id: $id) { id name price } }'

function idOf(kind: 'product' | 'user' | 'order', index: number): string {
  const counts = { product: shopSize.products, user: shopSize.users, order: shopSize.orders }
  return `${kind}_${1 + ((index * 7) % counts[kind])}`
}

/** Makes the document unique, so that no document cache contains it. */
function uniqueDocument(index: number, document: string): string {
  return `${document} #${seed} ${index}`
}

const seed = Math.random()
const repeat = (count: number, part: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => part(index)).join(' ')
const cursorOf = (list: string, position: number) => {
  const mark = createHash('sha256').update(list).digest('base64url').slice(0, 8)
  return Buffer.from(`${mark}:${position}`).toString('base64url')
}

/** The first is the reference for the others. */
export const costShapes: readonly CostShape[] = [
  { name: 'a product, hot', request: (index) => ({ query: byId, variables: { id: idOf('product', index % 50) } }) },
  { name: '__typename, hot', request: () => ({ query: '{ __typename }' }) },
  { name: '100 products, hot', request: () => ({ query: `{ products(first: 100) { nodes { ${productFields} } } }` }) },
  {
    name: '100 edges of a category, hot',
    request: () => ({
      query: `query($category: String) { products(category: $category, last: 100) { edges { cursor node { id name } } ${pageInfo} totalCount } }`,
      variables: { category: 'Books' },
    }),
  },
  {
    name: 'an order with user and products, hot',
    request: (index) => ({
      query: `query($id: ID!) { order(id: $id) { ${orderFields} user { ${userFields} } products { ${productFields} } } }`,
      variables: { id: idOf('order', index % 50) },
    }),
  },
  {
    name: 'a user with 20 orders and 60 products, hot',
    request: (index) => ({
      query: `query($id: ID!) { user(id: $id) { ${userFields} orders(first: 20) { nodes { id products { id name } } } } }`,
      variables: { id: `user_${1 + (index % 50)}` },
    }),
  },
  {
    name: '100 users with 400 orders and 1,200 products, hot',
    request: () => ({
      query: `{ users(last: 100) { totalCount nodes { id orders(first: 4) { edges { cursor node { id products { id name } } } ${pageInfo} totalCount } } } }`,
    }),
    max: 100,
  },
  {
    name: '100 nodes of three types, hot',
    request: () => ({
      query:
        'query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Product { name } ... on User { email } ... on Order { total } } node(id: "order_1") { id } }',
      variables: {
        ids: Array.from({ length: 100 }, (_, index) => idOf((['product', 'user', 'order'] as const)[index % 3] as 'user', index)),
      },
    }),
  },
  {
    name: 'a list with 30 aliases, hot',
    request: () => ({ query: `{ products(first: 50) { nodes { ${repeat(30, (index) => `a${index}: name`)} } } }` }),
  },
  {
    name: 'a product, executed by Apollo',
    request: (index) => ({ query: byId, variables: { id: idOf('product', index % 50) }, headers: { 'x-cost-report': '1' } }),
  },
  {
    name: '100 products, executed by Apollo',
    request: () => ({ query: `{ products(first: 100) { nodes { ${productFields} } } }`, headers: { 'x-cost-report': '1' } }),
  },
  {
    name: 'a dry run',
    request: () => ({ query: byId, variables: { id: 'product_1' }, headers: { 'x-cost-report': 'dry-run' } }),
  },
  {
    name: 'a product, by GET',
    request: () => ({
      path: `/graphql?${new URLSearchParams({ query: byId, variables: '{"id":"product_1"}' })}`,
      headers: { 'apollo-require-preflight': '1' },
    }),
  },
  {
    name: 'a product, not in the cache',
    request: (index) => ({ query: byId, variables: { id: idOf('product', index) } }),
    maxCold: 600,
  },
  {
    name: 'an order with user and products, not in the cache',
    request: (index) => ({
      query: `query($id: ID!) { order(id: $id) { id user { id } products { id name } } }`,
      variables: { id: idOf('order', index) },
    }),
    maxCold: 600,
  },
  {
    name: '100 products, not in the cache',
    request: (index) => ({
      query: `query($after: String, $before: String) { products(first: 100, after: $after, before: $before) { nodes { ${productFields} } totalCount } }`,
      variables: { after: cursorOf('products', shopSize.products + 1 - index * 100) },
    }),
    maxCold: 49,
  },
  {
    name: '100 products in a range of prices, not in the cache',
    request: (index) => ({
      query: `query($sortBy: ProductSort, $filter: ProductFilter) { products(first: 100, sortBy: $sortBy, filter: $filter) { nodes { ${productFields} } totalCount } }`,
      variables: {
        sortBy: index % 2 === 0 ? 'NEWEST' : 'NAME_ASC',
        filter: { inStock: true, minPrice: 1 + index / 100, maxPrice: 900 },
      },
    }),
    maxCold: 600,
  },
  {
    name: '20 orders by total, hot',
    request: (index) => ({
      query: `query($id: ID!) { user(id: $id) { orders(sortBy: TOTAL_DESC) { nodes { id total } } } }`,
      variables: { id: `user_${1 + (index % 50)}` },
    }),
  },
  {
    name: '20 orders and 60 products, not in the cache',
    request: (index) => ({
      query: `query($id: ID!, $after: String, $before: String) { user(id: $id) { orders(last: 20, after: $after, before: $before) { nodes { id products { id name } } totalCount } } }`,
      variables: { id: `user_${1 + index}` },
    }),
    maxCold: 80,
  },
  {
    name: 'a page behind a cursor, not in the cache',
    request: (index) => ({
      query: `query($after: String, $before: String) { users(first: 1, after: $after, before: $before) { edges { cursor node { id } } ${pageInfo} } }`,
      variables: { after: cursorOf('users', 9_000 - index) },
    }),
    maxCold: 600,
  },
  {
    name: 'a category that nobody has',
    request: (index) => ({
      query: '{ products(category: "c") { totalCount } }'.replace('"c"', JSON.stringify(`${seed} ${index}`.padEnd(100, '|'))),
    }),
    maxCold: 600,
  },
  {
    name: 'statistics',
    request: () => ({
      query: `{ stats { totalUsers totalProducts totalOrders revenue cacheHitRate asOf caches { ${countsOfCaches} } } }`,
      headers: { 'x-cost-report': '1' },
    }),
  },
  {
    name: 'cacheInfo',
    request: () => ({ query: '{ cacheInfo { backend available version usedMemoryBytes uptimeSeconds connectedClients keys } }' }),
  },
  {
    name: 'a small introspection',
    request: () => ({ query: '{ __schema { queryType { name } } __type(name: "User") { name } }' }),
  },
  { name: 'the whole introspection', request: () => ({ query: getIntrospectionQuery() }) },
  {
    name: 'a document never seen, small',
    request: (index) => ({ query: uniqueDocument(index, byId), variables: { id: 'product_1' } }),
  },
  {
    name: 'a document never seen, introspection',
    request: (index) => ({ query: uniqueDocument(index, getIntrospectionQuery()) }),
    max: 300,
  },
  {
    name: 'a document never seen, 990 tokens of fields',
    request: (index) => ({
      query: uniqueDocument(
        index,
        `{ ${repeat(18, (at) => `a${at}: product(id: "product_${at + 1}") { ${repeat(9, () => productFields)} }`)} }`,
      ),
    }),
    max: 100,
  },
  {
    name: 'a document never seen, 990 tokens of a list',
    request: (index) => ({
      query: uniqueDocument(index, `{ products(first: 0) { nodes { ${repeat(960, (at) => (at % 2 ? 'id' : 'name'))} } } }`),
    }),
    max: 100,
  },
  {
    name: 'a document never seen, 32 KB of comments',
    request: (index) => ({ query: `{ __typename } #${seed} ${index}\n`.padEnd(32_768, '#\n') }),
    max: 300,
  },
  {
    name: 'a document never seen, a string of 32 KB',
    request: (index) => ({ query: uniqueDocument(index, `{ product(id: """${'x'.repeat(32_600)}""") { id } }`) }),
    max: 300,
  },
  {
    name: 'a persisted query registered, 32 KB',
    request: (index) => {
      const query = `{ __typename } #${seed} ${index}P`.padEnd(32_768, 'x')
      const sha256Hash = createHash('sha256').update(query).digest('hex')
      return { body: JSON.stringify({ query, extensions: { persistedQuery: { version: 1, sha256Hash } } }) }
    },
    max: 300,
  },
  {
    name: 'a persisted query that nobody registered',
    request: (index) => {
      const sha256Hash = createHash('sha256').update(`${seed} ${index}`).digest('hex')
      return { body: JSON.stringify({ extensions: { persistedQuery: { version: 1, sha256Hash } } }) }
    },
  },
  {
    name: '45,000 variables',
    request: () => ({
      query: '{ __typename }',
      variables: Object.fromEntries(Array.from({ length: 45_000 }, (_, at) => [`a${at}`, 1])),
    }),
    max: 30,
  },
  { name: 'a variable of 480 KB', request: () => ({ query: byId, variables: { id: 'x'.repeat(480_000) } }), max: 200 },
  {
    name: '60,000 objects in a variable',
    request: () => ({ query: byId, variables: { id: 'product_1', more: Array(60_000).fill({ a: 1 }) } }),
    max: 60,
  },
  { name: 'an unknown field', request: (index) => ({ query: uniqueDocument(index, '{ nothing }') }) },
  {
    name: '1,000 tokens of mistakes',
    request: (index) => ({ query: uniqueDocument(index, `{ ${repeat(990, (at) => `nothing${at}`)} }`) }),
    max: 100,
  },
  {
    name: 'a syntax error after 32 KB',
    request: (index) => ({ query: `#${seed} ${index}\n${'#\n'.repeat(16_000)}{` }),
    max: 300,
  },
  { name: 'broken JSON', request: () => ({ body: '{"query": ' }) },
  { name: 'broken JSON of 480 KB', request: () => ({ body: `{"query":"${'x'.repeat(480_000)}` }), max: 200 },
  {
    name: 'a token that is not good',
    request: (index) => ({ query: byId, headers: { authorization: `Bearer ${unsigned(index)}` } }),
  },
  {
    name: 'too many points',
    request: () => ({
      query: `{ users(first: 100) { nodes { orders(first: 100) { nodes { products { id } } } } } }`.replace(
        'products { id }',
        'user { orders(first: 100) { nodes { products { id } } } }',
      ),
    }),
  },
  {
    name: 'a subscription to products',
    request: () => ({
      path: '/graphql/stream',
      query: `subscription($ids: [ID!]!) { productChanged(ids: $ids) { id product { ${productFields} } } }`,
      variables: { ids: ['product_1', 'product_2'] },
    }),
    max: 300,
  },
  {
    name: 'a subscription to orders',
    request: () => ({
      path: '/graphql/stream',
      query: `subscription { orderCreated(userId: "user_1") { ${orderFields} user { name } } }`,
    }),
    max: 300,
  },
  {
    name: 'updateProductStock',
    request: (index) => ({
      query: `mutation($id: ID!, $stock: Int!) { updateProductStock(productId: $id, stock: $stock) { product { ${productFields} } ${userErrors} } }`,
      variables: { id: idOf('product', index), stock: 1_000 + (index % 7) },
    }),
    max: 300,
  },
  {
    name: 'updateUser',
    request: (index) => ({
      query: `mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { ${userFields} orders(first: 1) { nodes { id } } } ${userErrors} } }`,
      variables: { input: { id: idOf('user', index), name: `Name ${index}`, email: `bench.${seed}.${index}@example.com` } },
    }),
    max: 300,
  },
  {
    name: 'createOrder',
    request: (index) => ({
      query: `mutation($input: CreateOrderInput!, $key: String) { createOrder(input: $input, idempotencyKey: $key) { order { id products { id } } replayed ${userErrors} } }`,
      variables: {
        key: `${seed} ${index}`,
        input: { userId: idOf('user', index), productIds: [idOf('product', index), idOf('product', index + 1)] },
      },
    }),
    max: 300,
  },
  {
    name: 'createProducts, 500',
    request: (index) => ({
      query: `mutation($inputs: [CreateProductInput!]!) { createProducts(inputs: $inputs) { products { ${productFields} } ${userErrors} } }`,
      variables: {
        inputs: Array.from({ length: 500 }, (_, at) => ({ name: `New ${at}`, price: 1.5, stock: 1, category: `bench ${index}` })),
      },
    }),
    max: 20,
  },
  {
    name: 'deleteCategory, 500 products',
    request: (index) => ({
      query: `mutation($category: String!) { deleteCategory(category: $category) { deletedCount ${userErrors} } }`,
      variables: { category: `bench ${index}` },
    }),
    max: 20,
  },
  {
    name: 'createUser',
    request: (index) => ({
      query: `mutation($input: CreateUserInput!) { createUser(input: $input) { user { ${userFields} } ${userErrors} } }`,
      variables: { input: { name: 'Ada', email: `new.${seed}.${index}@example.com` } },
    }),
    max: 300,
  },
  {
    name: 'deleteUser, refused',
    request: (index) => ({
      query: `mutation($id: ID!) { deleteUser(id: $id) { deletedUserId ${userErrors} } }`,
      variables: { id: idOf('user', index) },
    }),
    max: 300,
  },
  {
    name: 'flushCache',
    request: () => ({ query: 'mutation { flushCache(namespace: STATS) { namespace } }' }),
    max: 300,
  },
  {
    name: 'warmUpCache, 1,000 of each',
    request: () => ({
      query:
        'mutation { warmUpCache(namespaces: [PRODUCTS, ORDERS, USERS, PRODUCT_LISTS, USER_ORDERS, STATS], limit: 1000) { warmed { namespace entries } } }',
    }),
    max: 20,
  },
]

function unsigned(index: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'HS256' })}.${part({ role: 'admin', exp: 9_999_999_999, jti: index })}.${'A'.repeat(43)}`
}
