import type { Queryable } from '../database/connection.js'
import { type IdKind, publicId } from '../model.js'

export async function fetchNewestIds(database: Queryable, kind: IdKind, limit: number): Promise<string[]> {
  const rows = await database<{ id: number }[]>`select id from ${database(`${kind}s`)} order by id desc limit ${limit}`
  return rows.map(({ id }) => publicId(kind, id))
}

/** The users of the newest orders, each once. */
export async function fetchNewestBuyers(database: Queryable, limit: number): Promise<string[]> {
  const rows = await database<{ user_id: number }[]>`
    select user_id from orders group by user_id order by max(id) desc limit ${limit}`
  return rows.map(({ user_id }) => publicId('user', user_id))
}

export async function fetchCategories(database: Queryable, limit: number): Promise<string[]> {
  const rows = await database<{ category: string }[]>`select distinct category from products order by category limit ${limit}`
  return rows.map(({ category }) => category)
}
