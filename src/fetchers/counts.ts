import type { ListQuery } from 'cached-resolvers'
import type { Queryable } from '../database/connection.js'
import { idNumber, type Totals } from '../model.js'

export async function fetchUserCounts(database: Queryable, queries: readonly ListQuery[]): Promise<Map<ListQuery, number>> {
  const [row] = await database<[{ count: number }]>`select count(*) as count from users`
  return new Map(queries.map((query) => [query, row.count]))
}

/** Of all products where `list` is null, else of that category. */
export async function fetchProductCounts(database: Queryable, queries: readonly ListQuery[]): Promise<Map<ListQuery, number>> {
  const rows = await database<{ count: number }[]>`
    select case
      when category is null then (select count(*) from products)
      else (select count(*) from products where products.category = asked.category)
    end as count
    from unnest(${queries.map(({ list }) => list)}::text[]) with ordinality as asked (category, position) order by position`
  return new Map(queries.map((query, index) => [query, rows[index]?.count ?? 0]))
}

/** Of the orders of the user whose id `list` is. */
export async function fetchUserOrderCounts(database: Queryable, queries: readonly ListQuery[]): Promise<Map<ListQuery, number>> {
  const rows = await database<{ count: number }[]>`
    select (select count(*) from orders where user_id = asked.id) as count
    from unnest(${queries.map(({ list }) => idNumber('user', list ?? ''))}::bigint[]) with ordinality as asked (id, position)
    order by position`
  return new Map(queries.map((query, index) => [query, rows[index]?.count ?? 0]))
}

export async function fetchTotals(database: Queryable, keys: readonly string[]): Promise<Map<string, Totals>> {
  const [row] = await database<[{ users: number; products: number; orders: number; revenue_cents: number; as_of: Date }]>`
    select (select count(*) from users) as users, (select count(*) from products) as products, totals.*, now() as as_of
    from (select count(*) as orders, coalesce(sum(total_cents), 0)::bigint as revenue_cents from orders) totals`
  const { users, products, orders, revenue_cents, as_of } = row
  const totals = { users, products, orders, revenue: revenue_cents / 100, asOf: as_of.toISOString() }
  return new Map(keys.map((key) => [key, totals]))
}
