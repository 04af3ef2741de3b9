import type { Machine } from '../harness/machine.js'
import type { WrittenBy } from '../harness/product-versions.js'
import type { QueryName } from '../harness/queries.js'
import type { MixedServerName, ServerName } from '../harness/server-names.js'
import type { StaleReads } from '../load/mixed-load.js'

/** All results by section. Each command replaces its own section. */
export interface Results {
  compare?: Section<Comparison>
  cold?: Section<ColdRow[]>
  invalidation?: Section<InvalidationRow[]>
  memory?: Section<Memory>
  start?: Section<Start>
  cost?: Section<CostRow[]>
  lists?: Section<Lists>
  mixed?: Section<Mixed>
}

export interface Section<Content> {
  date: string
  machine: Machine
  quick: boolean
  content: Content
}

export interface Comparison {
  rounds: number
  seconds: number
  connections: number
  generator: string
  cores: string
  /** V8 flags by server */
  flags: Partial<Record<ServerName, string>>
  runs: Run[]
}

export interface Run {
  query: QueryName
  server: ServerName
  round: number
  requestsPerSecond: number
  p50Us: number
  p99Us: number
  cpuUsPerRequest: number | null
  /** CPU time of the server's process, including helper threads, as a share of the elapsed time */
  cpuShare: number | null
  rssBytes: number | null
}

export interface ColdRow {
  query: QueryName
  server: 'limit' | 'ours-far'
  /** Share of the ids that had been requested before */
  warmedShare: number
  /** Share of the cache lookups that were hits; null for a server that does not count them */
  hitShare: number | null
  requests: number
  requestsPerSecond: number
  p99Us: number
  statementsPerRequest: number
  cpuUsPerRequest: number | null
}

export interface InvalidationRow {
  keys: number
  way: 'generation' | 'scan'
  repeats: number
  tookMs: number
  calm: { p50Us: number; p99Us: number }
  meanwhile: { p50Us: number; p99Us: number; worstUs: number }
}

export interface Memory {
  entries: number
  redis: { what: string; plainBytes: number; oursBytes: number }[]
  near: { entries: number; heapBytes: number; estimatedBytes: number }
}

export interface Start {
  firstMs: number
  laterMs: number[]
  command: string
}

export interface CostRow {
  shape: string
  requests: number
  /** Average points charged for a request */
  points: number
  /** CPU time of the server's process per request */
  cpuMs: number
}

/** Which pages of lists a change of a product invalidates: those that the names of ours select, all, or none (pages expire) */
export type ListRule = 'names' | 'every change' | 'TTL'

export interface Lists {
  operations: number
  ttlMs: number
  rows: ListsRow[]
}

export interface ListsRow {
  rule: ListRule
  /** Share of the lookups of pages that were hits */
  hitShare: number
  /** Number of pages that were fetched again, and how many of these had not changed */
  refetched: number
  unchanged: number
  /** Pages read that differed from the rows, although the last change had been acknowledged */
  stalePerMillion: number
  p50Us: number
  p99Us: number
}

/** How a server runs: one process; two on one port; two, one of which is stopped for 300 ms every 5 s */
export type MixedSetup = 'one process' | 'two processes' | 'one of two stalled'

export interface Mixed {
  rounds: number
  seconds: number
  connections: number
  /** Operations per second; null for as many as the server answers */
  rate: number | null
  cores: string
  runs: MixedRun[]
}

export interface MixedRun {
  setup: MixedSetup
  server: MixedServerName
  round: number
  reads: number
  /** Writes by mutations, and by SQL past the server */
  mutations: number
  sqlWrites: number
  readsPerSecond: number
  p50Us: number
  p99Us: number
  p999Us: number
  mutationP50Us: number
  mutationP99Us: number
  /** SELECTs on the shop's tables */
  selectsPerRead: number
  stale: Record<WrittenBy, StaleReads>
  /** CPU time of all processes of the server, per read or mutation */
  cpuUsPerRequest: number | null
  cpuShare: number | null
  rssBytes: number | null
}
