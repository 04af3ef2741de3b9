import type { Cache } from '../../src/cache/cache.js'
import { createCache, createNamespaces, idsUpTo, type Namespaces } from './items.js'
import { load } from './load.js'
import { MeasuredStore } from './measured-store.js'
import { ordered, type Task, type WatcherReport } from './messages.js'
import { Work } from './work.js'

// Started by watcher-process.ts: a process with a near store, which reads and removes; does not outlive who started it.

const primedAtOnce = 500

process.on('disconnect', () => process.exit())
await watch(JSON.parse(process.argv[2] as string) as Task)

async function watch(task: Task): Promise<void> {
  const store = new MeasuredStore(task.url, task.variant)
  const cache = createCache({ store, near: true, now: Date.now })
  const namespaces = createNamespaces(task.softTtlMs)
  await cache.connect()
  await store.firstUpToDate
  await prime(cache, namespaces, task.probes)
  process.send?.('primed')
  await ordered('run')
  const work = new Work(cache, namespaces, task)
  work.start()
  process.send?.(await observe(cache, store, work))
  await cache.close()
  process.disconnect?.()
}

/** As after a long run: all that Redis holds was read here once. */
async function prime(cache: Cache, { items, probes }: Namespaces, probeCount: number): Promise<void> {
  for (const ids of batches(idsUpTo(load.items))) await cache.peekMany(items, ids)
  for (const ids of batches(idsUpTo(probeCount))) await cache.peekMany(probes, ids)
}

async function observe(cache: Cache, store: MeasuredStore, work: Work): Promise<WatcherReport> {
  await ordered('measure')
  await cache.flushCounts()
  const [before, lookupsBefore] = [count(store, work), lookups(store)]
  await ordered('stop')
  const after = count(store, work)
  await work.stop()
  await cache.flushCounts()
  return {
    ...difference(after, before),
    lookups: difference(lookups(store), lookupsBefore),
    probesRemoved: work.probesRemoved,
    probesHeard: [...store.probesHeard],
  }
}

function count({ messages, keysTold, emptied }: MeasuredStore, { operations, removals }: Work) {
  const { user, system } = process.cpuUsage()
  return { cpuMs: (user + system) / 1000, operations, removals, messages, keysTold, emptied }
}

function lookups({ counts }: MeasuredStore) {
  const of = (name: string) => counts.get(`items.${name}`) ?? 0
  return { hits: of('hits'), misses: of('misses'), nearHits: of('nearHits') }
}

function difference<Name extends string>(after: Record<Name, number>, before: Record<Name, number>): Record<Name, number> {
  const names = Object.keys(after) as Name[]
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as Record<Name, number>
}

function batches(ids: readonly string[]): string[][] {
  const count = Math.ceil(ids.length / primedAtOnce)
  return Array.from({ length: count }, (_, index) => ids.slice(primedAtOnce * index, primedAtOnce * (index + 1)))
}
