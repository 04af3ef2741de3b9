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

/** How lists of products can be sorted. Equal prices and names are sorted by id. */
export const productSorts = {
  PRICE_ASC: { column: 'price_cents', direction: 'asc' },
  PRICE_DESC: { column: 'price_cents', direction: 'desc' },
  // A collation of ICU, so that the order does not depend on the operating system of the database
  NAME_ASC: { column: 'name', direction: 'asc', collation: 'und-x-icu' },
} as const

/** Prices in cents between which products are counted as one band: a page with a range of prices is cached if its bounds are among them. */
export const priceBounds = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000]

/**
 * Products change rarely, so they are cached for long. A change of a product invalidates only the lists that it affects: a list by name
 * if the name changed, lists of products in stock if the stock became 0 or was 0, lists by price or with a range of prices if the price
 * changed, and all lists of a category if a product was added to it or removed from it.
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
    productLists: {
      name: 'product-lists',
      // Version 1 could not be sorted.
      version: 2,
      key: 'category',
      withAll: true,
      prefix: 'category:',
      fresh: freshForMinutes(3),
      sorts: productSorts,
      filters: { inStock: { column: 'stock', greaterThan: 0 }, price: { column: 'price_cents', bounds: priceBounds } },
    },
  },
})
