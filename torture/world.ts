import type { Database } from '../src/platform/database/connection.js'
import type { ApiProcess } from './api-process.js'
import type { CommitWatch } from './commit-watch.js'
import type { FaultWindows } from './fault-windows.js'
import type { Ledger } from './ledger.js'
import type { RequestedPages } from './lists.js'
import type { Options } from './options.js'
import type { Random } from './random.js'
import type { RedisServer } from './redis-server.js'
import type { Staleness } from './staleness.js'
import type { Tally } from './tally.js'

/** The state that all actors share */
export interface World {
  options: Options
  /** Milliseconds; only differences matter. */
  now: () => number
  print: (line: string) => void
  random: (name: string) => Random
  apis: readonly ApiProcess[]
  /** The first is used normally, the second while an address points to it. Empty if the processes run without Redis. */
  servers: readonly RedisServer[]
  /** A fault that changes addresses is in progress. */
  addressesAreMoving: boolean
  /** A fault that locks a product is in progress. */
  productIsLocked: boolean
  database: Database
  ledger: Ledger
  faultWindows: FaultWindows
  staleness: Staleness
  pages: RequestedPages
  commits: CommitWatch
  /** Duration of every request */
  requestsMs: number[]
  operations: Tally
  faults: Tally
  /** Failed requests by cause, without the expected ones: to a process that was down, or blocked by locks or the machine */
  failures: Tally
  expectedFailures: Tally
  /** Number of stalls: the process was stopped, or the machine was busy */
  stalls: Tally
  /** Number of answered mutations that were read at once through another process */
  readElsewhere: number
  ownWrites: { checked: number; violations: number }
}
