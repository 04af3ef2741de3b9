import type { Database } from '../src/platform/database/connection.js'
import type { ApiProcess } from './api-process.js'
import type { CommitWatch } from './commit-watch.js'
import type { FaultWindows } from './fault-windows.js'
import type { Ledger } from './ledger.js'
import type { AskedPages } from './lists.js'
import type { Options } from './options.js'
import type { Random } from './random.js'
import type { RedisServer } from './redis-server.js'
import type { Staleness } from './staleness.js'
import type { Tally } from './tally.js'

/** All that the actors share. */
export interface World {
  options: Options
  /** Milliseconds; only differences matter. */
  now: () => number
  print: (line: string) => void
  random: (name: string) => Random
  apis: readonly ApiProcess[]
  /** The first is in normal use, the other where an address leads to it; none where the processes run without Redis. */
  servers: readonly RedisServer[]
  /** Addresses lead elsewhere at the moment, or are about to. */
  addressesChange: boolean
  /** A product is held at the moment. */
  productIsHeld: boolean
  database: Database
  ledger: Ledger
  faultWindows: FaultWindows
  staleness: Staleness
  pages: AskedPages
  commits: CommitWatch
  /** How long every request took */
  requestsMs: number[]
  operations: Tally
  faults: Tally
  /** Requests that failed, by cause; those of a process that was down, or held up by locks or the machine, are apart. */
  failures: Tally
  expectedFailures: Tally
  /** How often a process did not get to run, whether it was stopped or the machine had other things to do */
  stalls: Tally
  /** Answered mutations that were read through another process at once */
  readElsewhere: number
  ownWrites: { checked: number; violations: number }
}
