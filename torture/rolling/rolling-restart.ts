import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../../src/platform/database/connection.js'
import { freePort } from '../../tools/free-port.js'
import { ServedProcess } from '../served-process.js'
import { ChangeWatch, type ObservedChanges } from './change-watch.js'
import { type ClientResults, Clients } from './clients.js'
import { startReadyProxy } from './ready-proxy.js'

export interface RollOptions {
  /** A database with the demo data and no other writers */
  databaseUrl: string
  database: Database
  redisUrl: string
  processes: number
  /** A built checkout of the version with which the processes start; the restarts replace it by this checkout. */
  from?: string | undefined
  /** How long a process continues to serve after SIGTERM */
  delayMs: number
  /** Pause between an answer and the next request of a client */
  pauseMs: number
  /** Called after every round of restarts */
  shouldContinue: (rounds: number) => boolean
  onRestart: (port: number, tookMs: number) => void
}

export interface RollingSummary {
  clients: ClientResults
  changes: ObservedChanges
  restarts: number
  /** Orders created during the run, according to the database */
  orders: number
  /** Orders that were acknowledged but are not in the database */
  lostOrders: number
  /** Units taken out of stock, according to the database */
  unitsTaken: number
}

const readers = 12
const writers = 4
/** The guaranteed maximum staleness after a commit by SQL */
const boundMs = 2_000

/**
 * Restarts the processes in turn, round after round, while clients read and order through a proxy that forwards to ready
 * processes.
 */
export async function runRollingRestart(options: RollOptions): Promise<RollingSummary> {
  const { database, databaseUrl, redisUrl, processes, delayMs, pauseMs } = options
  const env = { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, SHUTDOWN_DELAY_MS: String(delayMs) }
  const cleanups: (() => Promise<void>)[] = []
  try {
    const ports = await Promise.all(Array.from({ length: processes }, freePort))
    const served = ports.map((port) => new ServedProcess(port, env, options.from))
    cleanups.push(async () => void (await Promise.all(served.map((process) => process.stop()))))
    for (const process of served) await process.start()
    await database`update products set stock = 1000000 where id <= ${writers}`
    const proxy = await startReadyProxy(ports)
    cleanups.push(() => proxy.stop())

    const clients = new Clients({ port: proxy.port, readers, writers, pauseMs })
    cleanups.push(() => clients.stop())
    const watch = new ChangeWatch(database, proxy.port, boundMs)
    cleanups.push(() => watch.stop())
    const restarts = await restartAll(served, options, (port) => new ServedProcess(port, env))
    await sleep(boundMs)
    await watch.stop()
    await clients.stop()
    return {
      clients: clients.results,
      changes: watch.observed,
      restarts,
      ...(await readOrders(database, clients.results.orderIds)),
    }
  } finally {
    await runAll(cleanups)
  }
}

/** Runs all cleanups, the last first, even if one fails. */
async function runAll(cleanups: readonly (() => Promise<void>)[]): Promise<void> {
  const [cleanup, ...others] = cleanups.toReversed()
  if (cleanup) await cleanup().finally(() => runAll(others.reverse()))
}

async function restartAll(
  served: ServedProcess[],
  { shouldContinue, onRestart }: RollOptions,
  create: (port: number) => ServedProcess,
): Promise<number> {
  for (let rounds = 1; ; rounds += 1) {
    for (const [index, old] of served.entries()) {
      const startedAt = performance.now()
      await old.stop()
      const replacement = create(old.port)
      served[index] = replacement
      await replacement.start()
      onRestart(replacement.port, performance.now() - startedAt)
    }
    if (!shouldContinue(rounds)) return rounds * served.length
  }
}

async function readOrders(database: Database, acknowledged: readonly string[]) {
  // The demo data has 250 orders.
  const created = new Set((await database`select 'order_' || id as id from orders where id > 250`).map(({ id }) => id))
  const [stock] = await database<[{ left: number }]>`select sum(stock)::bigint as left from products where id <= ${writers}`
  return {
    orders: created.size,
    lostOrders: acknowledged.filter((id) => !created.has(id)).length,
    unitsTaken: writers * 1_000_000 - stock.left,
  }
}
