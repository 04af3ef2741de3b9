import { Cache, createLoaderFactory, defineEntity, MemoryStore, namespacesOf } from 'cached-resolvers'

interface Author {
  id: string
  name: string
}
/** The source that values are read from: usually a database connection, here rows in memory. */
type Source = ReadonlyMap<string, Author>

const minutes = 60_000
const authors = defineEntity({
  name: 'authors',
  kind: 'author',
  fresh: { softMs: 10 * minutes, graceMs: 10 * minutes, negativeMs: 1 * minutes },
  // One statement for any number of ids. Ids that do not exist are absent from the map.
  fetch: async (rows: Source, ids) => {
    console.log('reading', ids)
    return new Map([...rows].filter(([id]) => ids.includes(id)))
  },
  newest: async (rows, limit) => [...rows.keys()].reverse().slice(0, limit),
})
const entities = { authors }

// In production: new RedisStore({ target: 'redis://127.0.0.1:6379', prefix: 'blog' }) of cached-resolvers/redis.
const cache = new Cache({ store: new MemoryStore(), prefix: 'blog', namespaces: namespacesOf(entities) })
await cache.connect()

const rows: Source = new Map(['Ada', 'Grace'].map((name, index) => [`author_${index + 1}`, { id: `author_${index + 1}`, name }]))
const createLoaders = createLoaderFactory(cache, entities, (_, read) => read(rows))

// Create loaders for each request. All loads in one event loop iteration are one read.
const { authors: authorLoader } = createLoaders()
console.log(await Promise.all(['author_1', 'author_2', 'author_3'].map((id) => authorLoader.load(id))))
// The next request reads the author from the cache.
console.log(await createLoaders().authors.load('author_1'))
// After a change of the author was committed:
await cache.invalidate(authors.namespace, { ids: ['author_1'] })
console.log(await createLoaders().ofKind('author')?.load('author_1'))
await cache.close()
