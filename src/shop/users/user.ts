import { defineTableEntity } from 'cached-resolvers/postgres'
import { freshFor } from '../freshness.js'

export interface User {
  id: string
  email: string
  name: string
  createdAt: string
}

interface UserRow {
  id: number
  email: string
  name: string
  created_at: Date
}

/** Read with every order */
export const users = defineTableEntity({
  table: 'users',
  kind: 'user',
  fresh: freshFor(10),
  toValue: ({ email, name, created_at }: UserRow, id): User => ({ id, email, name, createdAt: created_at.toISOString() }),
  // Read by administrators only, and stale with every new user: not worth an entry.
  lists: { userLists: {} },
})
