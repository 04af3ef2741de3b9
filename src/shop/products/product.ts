import { defineTableEntity } from 'cached-resolvers/postgres'
import { freshForMinutes } from '../freshness.js'

export interface Product {
  id: string
  name: string
  /** In major currency units (such as euros, not cents), exact to two decimals */
  price: number
  stock: number
  category: string
}

interface ProductRow {
  id: number
  name: string
  price_cents: number
  stock: number
  category: string
}

/** Maximum length of a category name in characters. Mutations and queries reject longer names. */
export const maxCategoryLength = 100

/**
 * Products change rarely, so they are cached for long. If a product is added, deleted or moved to another category, the lists of the
 * affected categories and the list of all products are invalidated.
 */
export const products = defineTableEntity({
  table: 'products',
  kind: 'product',
  live: 'changed',
  fresh: freshForMinutes(30),
  toValue: ({ name, price_cents, stock, category }: ProductRow, id): Product => ({
    id,
    name,
    price: price_cents / 100,
    stock,
    category,
  }),
  lists: {
    productLists: { name: 'product-lists', key: 'category', withAll: true, prefix: 'category:', fresh: freshForMinutes(3) },
  },
})
