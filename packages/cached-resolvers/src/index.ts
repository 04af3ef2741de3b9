export { Cache } from './cache/cache.js'
export { type Caller, callerOf } from './cache/caller.js'
export { CountedEntries } from './cache/counted-entries.js'
export type { CounterName, Counts } from './cache/counters.js'
export { type Deadline, startDeadline, withDeadline } from './cache/deadline.js'
export { leaseMark } from './cache/entry.js'
export { FetchTimeoutError, OverloadedError } from './cache/gate.js'
export { MemoryStore } from './cache/memory-store.js'
export { cacheMetrics, registerMetrics } from './cache/metrics.js'
export type { EntryId, ListEntryId, Namespace } from './cache/namespace.js'
export { reasonOf } from './cache/reason.js'
export { sharedNotes } from './cache/shared-value.js'
export { endWhenSilent } from './cache/silence.js'
export type { Origin } from './cache/slot.js'
export { type CacheStore, StoreUnavailableError, type Swap, type SwapAnswer } from './cache/store.js'
export { createTokenSource } from './cache/token.js'
export { type AuditReport, audit } from './loaders/audit.js'
export { createCacheAdmin } from './loaders/cache-admin.js'
export { type CacheReader, pastCache } from './loaders/cache-reader.js'
export {
  defineEntity,
  type Entities,
  type Entity,
  type EntityOptions,
  type Freshness,
  type ListOptions,
  namespacesOf,
} from './loaders/entity.js'
export { idKind, idNumber, publicId } from './loaders/ids.js'
export type { ListLoader } from './loaders/list-loader.js'
export { type Loadable, type Loader, whenAllLoaded, whenLoaded } from './loaders/loader.js'
export { createLoaderFactory, type Loaders } from './loaders/loaders.js'
export { Origins } from './loaders/origins.js'
export type { ListQuery, Page, PageQuery } from './loaders/page.js'
export type { Read } from './loaders/reads.js'
