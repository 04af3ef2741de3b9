import type { Order } from '../src/shop/orders/order.js'
import type { ApiProcess } from './api-process.js'
import { type Difference, differenceOf } from './differences.js'
import { ask, type Data } from './graphql-client.js'
import { type ListPage, pageField } from './lists.js'
import { listItems, pageOf, type ShopRows } from './shop-rows.js'

interface Question {
  key: string
  field: string
  expected: unknown
}

/**
 * Queries a process for every row (deleted ones too), every list and the totals. Entries in its near store are compared first
 * this way.
 */
export async function compareAnswers(
  api: ApiProcess,
  rows: ShopRows,
  deletedIds: readonly string[],
  pages: readonly ListPage[],
): Promise<{ compared: number; differences: Difference[] }> {
  const questions = [...rowQuestions(rows, deletedIds), ...pages.map((page) => pageQuestion(rows, page)), totalsQuestion(rows)]
  const differences: Difference[] = []
  for (let start = 0; start < questions.length; start += batchSize) {
    differences.push(...(await compareBatch(api, questions.slice(start, start + batchSize))))
  }
  return { compared: questions.length, differences }
}

/** The maximum number of root fields of a request */
const batchSize = 20

async function compareBatch(api: ApiProcess, questions: readonly Question[]): Promise<Difference[]> {
  const fields = questions.map(({ field }, index) => `a${index}: ${field}`)
  const answer = await ask(api, `{ ${fields.join(' ')} }`)
  if (answer.state !== 'answered')
    return [{ where: api.name, key: 'all of a request', cached: answer.cause, expected: 'an answer' }]
  return questions.flatMap(({ key, expected }, index) => differenceOf(api.name, key, answer.data[`a${index}`], expected))
}

function rowQuestions({ users, products, orders }: ShopRows, deletedIds: readonly string[]): Question[] {
  const deleted = deletedIds.filter((id) => !users.has(id) && !products.has(id) && !orders.has(id))
  return [
    ...[...users.values()].map((user) => ({
      key: user.id,
      field: `user(id: "${user.id}") { id email name createdAt }`,
      expected: user,
    })),
    ...[...products.values()].map((product) => ({
      key: product.id,
      field: `product(id: "${product.id}") { id name price stock category }`,
      expected: product,
    })),
    ...[...orders.values()].map((order) => ({
      key: order.id,
      field: `order(id: "${order.id}") { id userId productIds total createdAt user { id } products { id } }`,
      expected: withRelations(order, products, users),
    })),
    ...deleted.map((id) => ({ key: id, field: `${id.split('_')[0]}(id: "${id}") { id }`, expected: null })),
  ]
}

function withRelations(order: Order, products: ShopRows['products'], users: ShopRows['users']): Data {
  return {
    ...order,
    user: users.has(order.userId) ? { id: order.userId } : null,
    products: order.productIds.map((id) => (products.has(id) ? { id } : null)),
  }
}

function pageQuestion(rows: ShopRows, listPage: ListPage): Question {
  const { kind, page } = listPage
  const key = `${kind} ${JSON.stringify(page)}`
  const field = pageField(listPage, 'id')
  if (kind === 'orders' && !rows.users.has(page.list ?? '')) return { key, field, expected: null }
  const items = listItems(rows, listPage)
  const { ids: pageIds, hasNext, hasPrevious } = pageOf(items, page)
  const list = {
    nodes: pageIds.map((id) => ({ id })),
    totalCount: items.length,
    pageInfo: { hasNextPage: hasNext, hasPreviousPage: hasPrevious },
  }
  return { key, field, expected: kind === 'orders' ? { id: page.list, orders: list } : list }
}

function totalsQuestion({ users, products, orders }: ShopRows): Question {
  const cents = [...orders.values()].reduce((sum, { total }) => sum + Math.round(total * 100), 0)
  const expected = { totalUsers: users.size, totalProducts: products.size, totalOrders: orders.size, revenue: cents / 100 }
  return { key: 'totals', field: 'stats { totalUsers totalProducts totalOrders revenue }', expected }
}
