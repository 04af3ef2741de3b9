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

/** In characters; longer category names are refused in mutations and queries. */
export const maxCategoryLength = 100

/** Changes rarely. A product that is added, removed or moved to another category invalidates the lists of that category and of all products. */
export const products = defineTableEntity({
  table: 'products',
  kind: 'product',
  live: 'changed',
  fresh: freshForMinutes(30),
  toValue: ({ name, price_cents, stock, category }: ProductRow, id): Product => ({
    ...{ id, name, price: price_cents / 100, stock, category },
  }),
  lists: {
    productLists: { name: 'product-lists', key: 'category', withAll: true, prefix: 'category:', fresh: freshForMinutes(3) },
  },
})
