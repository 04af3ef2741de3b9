import { Cache, type ListEntryId, MemoryStore, type Namespace } from 'cached-resolvers'

interface City {
  name: string
  people: number
}

// One namespace for each kind of value, with its TTLs.
const CITIES: Namespace<City> = { name: 'cities', version: 1, softTtlMs: 600_000, graceMs: 600_000, negativeTtlMs: 60_000 }
const CITY_LISTS: Namespace<string[]> = { ...CITIES, name: 'city-lists', value: [] }

// In production: new RedisStore({ target: 'redis://127.0.0.1:6379', prefix: 'atlas' }).
const cache = new Cache({ store: new MemoryStore(), prefix: 'atlas', namespaces: [CITIES, CITY_LISTS] })
await cache.connect()

// Many ids: one read, one call of fetch for the misses, one fill. An id that does not exist is null, and cached as a negative
// entry.
const fetchCities = async (ids: readonly string[]) => {
  console.log('fetching', ids)
  return new Map(ids.filter((id) => id !== 'atlantis').map((id) => [id, { name: id, people: 1_000 }]))
}
console.log(await Promise.all(await cache.getOrFetchMany(CITIES, ['bern', 'atlantis'], fetchCities)))
console.log(await cache.getOrFetch(CITIES, 'bern', fetchCities))

// A lookup is a hit, a stale hit, a negative hit or a miss.
console.log((await cache.readMany(CITIES, ['bern', 'atlantis', 'oslo'])).map(({ state }) => state))

// Entries of a list are identified by their parameters, and invalidated together by the name of the list.
const page: ListEntryId = { list: 'switzerland', parameters: { after: null, size: 2 } }
await cache.getOrFetch(CITY_LISTS, page, async (ids) => new Map(ids.map((id) => [id, ['bern', 'basel']])))
await cache.invalidate(CITY_LISTS, { lists: ['switzerland'] })
console.log(await cache.read(CITY_LISTS, page))

// Manually: take a lease, then fill. The fill lands only if the id was not invalidated in between.
const [lease] = await cache.leaseMany(CITIES, ['oslo'])
await cache.invalidate(CITIES, { ids: ['oslo'] })
console.log(lease && (await cache.fill(CITIES, lease, { name: 'oslo', people: 700_000 })))

const counts = await cache.counts(['cities'])
console.log(counts.get('cities')?.hits, counts.get('cities')?.misses)
await cache.close()
