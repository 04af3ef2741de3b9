/** 9,500 users have one order each; the first 500, which Q3 requests, have 21. */
export const shopSize = { users: 10_000, products: 5_000, orders: 20_000, frequentBuyers: 500 }

export const queryNames = ['Q1', 'Q2', 'Q3'] as const
export type QueryName = (typeof queryNames)[number]

interface Query {
  title: string
  operationName: string
  document: string
  /** All ids for which the query has a full result */
  ids: readonly string[]
}

export const queries: Record<QueryName, Query> = {
  Q1: {
    title: 'a product',
    operationName: 'Product',
    document: 'query Product($id: ID!) { product(id: $id) { id name price } }',
    ids: ids('product', shopSize.products),
  },
  Q2: {
    title: 'an order with its user and its 3 products',
    operationName: 'Order',
    document: 'query Order($id: ID!) { order(id: $id) { id total createdAt user { id name } products { id name price } } }',
    ids: ids('order', shopSize.orders),
  },
  Q3: {
    title: 'a user with 20 orders and their 60 products',
    operationName: 'UserOrders',
    document:
      'query UserOrders($id: ID!) { user(id: $id) { id name orders(first: 20) { nodes { id total products { id name price } } } } }',
    ids: ids('user', shopSize.frequentBuyers),
  },
}

/** The same bytes for every server; `withStock` asks for the stock of every product, too. */
export function requestBody(name: QueryName, id: string, { withStock = false } = {}): string {
  const { operationName, document } = queries[name]
  const query = withStock ? document.replace('id name price }', 'id name price stock }') : document
  return JSON.stringify({ operationName, query, variables: { id } })
}

/** The mutation that sets the stock of a product; the same bytes for every server */
export function stockMutationBody(id: string, stock: number): string {
  const query =
    'mutation UpdateStock($id: ID!, $stock: Int!) { updateProductStock(productId: $id, stock: $stock) { product { id stock } } }'
  return JSON.stringify({ operationName: 'UpdateStock', query, variables: { id, stock } })
}

/** The ids to request; fewer for a smoke test, to shorten the warm-up */
export function queryIds(name: QueryName, quick: boolean): readonly string[] {
  return quick ? queries[name].ids.slice(0, 200) : queries[name].ids
}

function ids(kind: 'product' | 'order' | 'user', count: number): string[] {
  return Array.from({ length: count }, (_, index) => publicId(kind, index + 1))
}

import { publicId } from 'cached-resolvers'
