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

/** Cached for long, since every order query reads its user. */
export const users = defineTableEntity({
  table: 'users',
  kind: 'user',
  fresh: freshForMinutes(10),
  toValue: ({ email, name, created_at }: UserRow, id): User => ({ id, email, name, createdAt: created_at.toISOString() }),
  // Not cached: only administrators read it, and every new user would invalidate it.
  lists: { userLists: {} },
})
