import type { Machine } from '../harness/machine.js'
import type { QueryName } from '../harness/queries.js'
import type { ServerName } from '../harness/server-names.js'

/** All that is known, by section; each command writes its own and leaves the others. */
export interface Results {
  compare?: Section<Comparison>
  cold?: Section<ColdRow[]>
  invalidation?: Section<InvalidationRow[]>
  memory?: Section<Memory>
  start?: Section<Start>
  cost?: Section<CostRow[]>
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
  /** Of the time, how much the server's process was computing, its helper threads included */
  cpuShare: number | null
  rssBytes: number | null
}

export interface ColdRow {
  query: QueryName
  /** Of the ids asked for, how many had been asked for before */
  warmedShare: number
  /** Of the lookups in the cache, how many were hits */
  hitShare: number
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
  /** That a request was charged on average */
  points: number
  /** Of the server's process, a request */
  cpuMs: number
}
