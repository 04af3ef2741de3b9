export { Cache } from './cache/cache.js'
export { type Cancellation, cancellationOf } from './cache/cancellation.js'
export { CountedEntries } from './cache/counted-entries.js'
export type { CounterName, Counts } from './cache/counters.js'
export { type Deadline, startDeadline, withDeadline } from './cache/deadline.js'
export { leaseMark } from './cache/entry.js'
export { FetchTimeoutError, OverloadedError } from './cache/fetch-limiter.js'
export type { LookupSource } from './cache/key-read.js'
export { MemoryStore } from './cache/memory-store.js'
export { cacheMetrics, registerMetrics } from './cache/metrics.js'
export type { EntryId, ListEntryId, Namespace } from './cache/namespace.js'
export type { HotKey, SampledReads } from './cache/read-sampler.js'
export { reasonOf } from './cache/reason.js'
export { destroyOnResponseTimeout } from './cache/response-timeout.js'
export { sharedValueMemo } from './cache/shared-value.js'
export { type CacheStore, StoreUnavailableError, type Swap, type SwapAnswer } from './cache/store.js'
export { createTokenSource } from './cache/token.js'
export { type AuditReport, audit } from './loaders/audit.js'
export { createCacheAdmin, type InspectedEntries } from './loaders/cache-admin.js'
export { bypassCache, type CacheReader } from './loaders/cache-reader.js'
export { CacheReport } from './loaders/cache-report.js'
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
export type { ListSort } from './loaders/list-names.js'
export { type Loader, type PromiseOrValue, whenAllLoaded, whenLoaded } from './loaders/loader.js'
export { createLoaderFactory, type Loaders } from './loaders/loaders.js'
export type { ListFilter, ListQuery, Page, PageQuery, Range, SortValue } from './loaders/page.js'
export type { Read } from './loaders/reads.js'
