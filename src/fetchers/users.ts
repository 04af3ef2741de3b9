import type { Queryable } from '../database/connection.js'
import { idNumber, publicId, type User } from '../model.js'

export async function fetchUsers(database: Queryable, ids: readonly string[]): Promise<Map<string, User>> {
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
