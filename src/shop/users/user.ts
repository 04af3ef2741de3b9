import { defineTableEntity } from 'cached-resolvers/postgres'
import { freshForMinutes } from '../freshness.js'

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

/** Users are cached for long, because queries for orders also read the users who placed them. */
export const users = defineTableEntity({
  table: 'users',
  kind: 'user',
  fresh: freshForMinutes(10),
  toValue: ({ email, name, created_at }: UserRow, id): User => ({ id, email, name, createdAt: created_at.toISOString() }),
  // The list of users is not cached, because only administrators read the list and every new user would invalidate it.
  lists: { userLists: {} },
})
