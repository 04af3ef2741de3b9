import { defineEntity, type ListQuery, type Page, type PageQuery } from 'cached-resolvers'
import type { Queryable } from '../../database/connection.js'
import { freshFor } from '../freshness.js'
import { idNumber, publicId } from '../ids.js'
import { fetchNewestIds, fetchPages } from '../pages.js'

export interface Product {
  id: string
  name: string
  /** Major units, exact to two decimals */
  price: number
  stock: number
  category: string
}

/** In characters: no longer name is written, nor asked for. */
export const maxCategoryLength = 100

/** Semi-static. Every change of membership invalidates the lists: of a category, or of all products. */
export const products = defineEntity({
  name: 'products',
  kind: 'product',
  table: 'products',
  live: 'changed',
  fresh: freshFor(30),
  fetch: fetchProducts,
  newest: (database: Queryable, limit: number) => fetchNewestIds(database, 'product', 'products', limit),
  lists: {
    productLists: {
      name: 'product-lists',
      key: 'category',
      withAll: true,
      prefix: 'category:',
      fresh: freshFor(3),
      pages: fetchProductPages,
      counts: fetchProductCounts,
      newest: async (database, limit) => [null, ...(await fetchCategories(database, limit - 1))],
    },
  },
})

async function fetchProducts(database: Queryable, ids: readonly string[]): Promise<Map<string, Product>> {
  const rows = await database<ProductRow[]>`
    select id, name, price_cents, stock, category from products
    where id = any(${ids.map((id) => idNumber('product', id))}::bigint[])`
  return new Map(rows.map((row) => [publicId('product', row.id), toProduct(row)]))
}

interface ProductRow {
  id: number
  name: string
  price_cents: number
  stock: number
  category: string
}

function toProduct({ id, name, price_cents, stock, category }: ProductRow): Product {
  return { id: publicId('product', id), name, price: price_cents / 100, stock, category }
}

/** Pages of all products where `list` is null, else of that category. */
function fetchProductPages(database: Queryable, queries: readonly PageQuery[]): Promise<Map<PageQuery, Page>> {
  return fetchPages(database, 'product', queries, [
    { rows: database`products r`, when: database`q.list is null` },
    // A condition on the query alone is tested once, so that each branch keeps to its own index.
    { rows: database`(select * from products where category = q.list) r`, when: database`q.list is not null` },
  ])
}

/** Of all products where `list` is null, else of that category. */
async function fetchProductCounts(database: Queryable, queries: readonly ListQuery[]): Promise<Map<ListQuery, number>> {
  const rows = await database<{ count: number }[]>`
    select case
      when category is null then (select count(*) from products)
      else (select count(*) from products where products.category = asked.category)
    end as count
    from unnest(${queries.map(({ list }) => list)}::text[]) with ordinality as asked (category, position) order by position`
  return new Map(queries.map((query, index) => [query, rows[index]?.count ?? 0]))
}

async function fetchCategories(database: Queryable, limit: number): Promise<string[]> {
  const rows = await database<{ category: string }[]>`select distinct category from products order by category limit ${limit}`
  return rows.map(({ category }) => category)
}
