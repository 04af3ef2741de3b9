import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TestApp } from '../helpers/app.js'
import { type Backend, backends } from '../helpers/backends.js'
import { post, postBody } from '../helpers/post.js'

const userErrors = 'userErrors { code message field }'
const createUser = `mutation ($input: CreateUserInput!) { createUser(input: $input) { user { id email name } ${userErrors} } }`
const updateUser = `mutation ($input: UpdateUserInput!) { updateUser(input: $input) { user { id email name } ${userErrors} } }`
const deleteUser = `mutation ($id: ID!) { deleteUser(id: $id) { deletedUserId ${userErrors} } }`
const createProducts = `mutation ($inputs: [CreateProductInput!]!) {
  createProducts(inputs: $inputs) { products { id name price stock category } ${userErrors} } }`
const updateProductStock = `mutation ($productId: ID!, $stock: Int!) {
  updateProductStock(productId: $productId, stock: $stock) { product { id stock } ${userErrors} } }`
const deleteCategory = `mutation ($category: String!) { deleteCategory(category: $category) { deletedCount ${userErrors} } }`
const createOrder = `mutation ($userId: ID!, $productIds: [ID!]!, $key: String) {
  createOrder(input: { userId: $userId, productIds: $productIds }, idempotencyKey: $key) {
    order { id userId productIds total user { id } products { id stock } } replayed ${userErrors} } }`
const warmUpCache = `mutation ($namespaces: [CacheNamespace!], $limit: Int) {
  warmUpCache(namespaces: $namespaces, limit: $limit) { warmed { namespace entries } } }`
const flushCache = 'mutation ($namespace: CacheNamespace!) { flushCache(namespace: $namespace) { namespace } }'
const namespaces = ['USERS', 'PRODUCTS', 'ORDERS', 'PRODUCT_LISTS', 'USER_ORDERS', 'STATS']

const totals = 'stats { totalUsers totalProducts totalOrders revenue }'

/** What a faulty field is answered with. */
function invalid(field: string[], message = expect.any(String)) {
  return { code: 'INVALID', message, field }
}

function describeOverBackends(subject: string, tests: (shop: Shop) => void): void {
  describe.each(backends)(`${subject}, with the cache %s`, (_, { skip, start }) => {
    describe.skipIf(skip)('', () => {
      const shop = new Shop(start)
      beforeAll(() => shop.open())
      afterAll(() => shop.close())
      tests(shop)
    })
  })
}
