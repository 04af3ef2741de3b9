import { readFile } from 'node:fs/promises'
import { MemoryStore } from 'cached-resolvers'
import { startCachedEntities } from 'cached-resolvers/postgres'
import { RedisStore } from 'cached-resolvers/redis'
import postgres from 'postgres'
import { entities } from './entities.js'

const { DATABASE_URL = 'postgres://127.0.0.1/blog', REDIS_URL } = process.env
const prefix = 'blog'

/** Opens the database and its cache. Also called by `cached-resolvers check`. */
export async function open() {
  const database = postgres(DATABASE_URL, { onnotice: () => {} })
  await database.unsafe(await readFile(new URL('tables.sql', import.meta.url), 'utf8')).simple()
  const store = REDIS_URL === undefined ? new MemoryStore() : new RedisStore({ target: REDIS_URL, prefix })
  const blog = await startCachedEntities({ entities, database, store, prefix })
  return {
    ...blog,
    async stop() {
      await blog.stop()
      await database.end()
    },
  }
}

export type Blog = Awaited<ReturnType<typeof open>>
