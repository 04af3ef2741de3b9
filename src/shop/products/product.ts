import { defineTableEntity } from 'cached-resolvers/postgres'
import { freshFor } from '../freshness.js'

export interface Product {
  id: string
  name: string
  /** Major units, exact to two decimals */
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

/** In characters: no longer name is written, nor asked for. */
export const maxCategoryLength = 100

/** Semi-static. Every change of membership invalidates the lists: of a category, or of all products. */
export const products = defineTableEntity({
  table: 'products',
  kind: 'product',
  live: 'changed',
  fresh: freshFor(30),
  toValue: ({ name, price_cents, stock, category }: ProductRow, id): Product => ({
    ...{ id, name, price: price_cents / 100, stock, category },
  }),
  lists: {
    productLists: { name: 'product-lists', key: 'category', withAll: true, prefix: 'category:', fresh: freshFor(3) },
  },
})
