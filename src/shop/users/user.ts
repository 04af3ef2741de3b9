import { defineEntity, type ListQuery, type Page, type PageQuery } from 'cached-resolvers'
import type { Queryable } from '../../database/connection.js'
import { freshFor } from '../freshness.js'
import { idNumber, publicId } from '../ids.js'
import { fetchNewestIds, fetchPages } from '../pages.js'

export interface User {
  id: string
  email: string
  name: string
  createdAt: string
}

/** Read with every order */
export const users = defineEntity({
  name: 'users',
  kind: 'user',
  table: 'users',
  fresh: freshFor(10),
  fetch: fetchUsers,
  newest: (database: Queryable, limit: number) => fetchNewestIds(database, 'user', 'users', limit),
  // Read by administrators only, and stale with every new user: not worth an entry.
  lists: { userLists: { pages: fetchUserPages, counts: fetchUserCounts } },
})

async function fetchUsers(database: Queryable, ids: readonly string[]): Promise<Map<string, User>> {
  const rows = await database<UserRow[]>`
    select id, email, name, created_at from users where id = any(${ids.map((id) => idNumber('user', id))}::bigint[])`
  return new Map(rows.map((row) => [publicId('user', row.id), toUser(row)]))
}

interface UserRow {
  id: number
  email: string
  name: string
  created_at: Date
}

function toUser({ id, email, name, created_at }: UserRow): User {
  return { id: publicId('user', id), email, name, createdAt: created_at.toISOString() }
}

/** Pages of all users; `list` is null. */
function fetchUserPages(database: Queryable, queries: readonly PageQuery[]): Promise<Map<PageQuery, Page>> {
  return fetchPages(database, 'user', queries, [{ rows: database`users r`, when: database`true` }])
}

async function fetchUserCounts(database: Queryable, queries: readonly ListQuery[]): Promise<Map<ListQuery, number>> {
  const [row] = await database<[{ count: number }]>`select count(*) as count from users`
  return new Map(queries.map((query) => [query, row.count]))
}
