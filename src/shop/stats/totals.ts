import { defineEntity } from 'cached-resolvers'
import type { Queryable } from '../../platform/database/connection.js'
import { freshForMinutes } from '../freshness.js'

export interface Totals {
  users: number
  products: number
  orders: number
  /** In major currency units, exact to two decimals */
  revenue: number
  asOf: string
}

/** Id of the only entry */
export const totalsId = 'totals'

/** Counts and revenue of the whole shop, which are cached because the SQL query for them is expensive */
export const totals = defineEntity({
  name: 'stats',
  aggregates: { users: 'membership', products: 'membership', orders: 'any change' },
  fresh: freshForMinutes(5),
  fetch: fetchTotals,
  newest: async () => [totalsId],
  // An audit must not compare the time at which the totals were computed.
  comparable: (totals: Totals) => ({ ...totals, asOf: null }),
})

async function fetchTotals(database: Queryable, keys: readonly string[]): Promise<Map<string, Totals>> {
  const [row] = await database<[{ users: number; products: number; orders: number; revenue_cents: number; as_of: Date }]>`
    select (select count(*) from users) as users, (select count(*) from products) as products, totals.*, now() as as_of
    from (select count(*) as orders, coalesce(sum(total_cents), 0)::bigint as revenue_cents from orders) totals`
  const { users, products, orders, revenue_cents, as_of } = row
  const totals = { users, products, orders, revenue: revenue_cents / 100, asOf: as_of.toISOString() }
  return new Map(keys.map((key) => [key, totals]))
}
