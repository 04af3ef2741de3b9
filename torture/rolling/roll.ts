import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../../src/platform/database/connection.js'
import { freePort } from '../../tools/free-port.js'
import { ServedProcess } from '../served-process.js'
import { type ChangesSeen, ChangeWatch } from './change-watch.js'
import { Clients, type Seen } from './clients.js'
import { startReadyProxy } from './ready-proxy.js'

export interface RollOptions {
  /** With the demo data; nobody else writes to it meanwhile. */
  databaseUrl: string
  database: Database
  redisUrl: string
  processes: number
  /** A checkout that was built, of the version that the processes begin with; they are replaced by this one. */
  from?: string | undefined
  /** How long a process serves on after SIGTERM */
  delayMs: number
  /** Asked after every round of restarts */
  goOn: (rounds: number) => boolean
  onRestart: (port: number, tookMs: number) => void
}

export interface Rolled {
  seen: Seen
  changes: ChangesSeen
  restarts: number
  /** Made since the beginning, by the database */
  orders: number
  /** Acknowledged, but not in the database */
  lostOrders: number
  /** Taken out of stock, by the database */
  unitsTaken: number
}

const readers = 12
const writers = 4
/** What is promised of a commit by SQL */
const boundMs = 2_000

/** Restarts each process in turn, again and again, while clients read and order through a proxy that keeps to those that are ready. */
export async function roll(options: RollOptions): Promise<Rolled> {
  const { database, databaseUrl, redisUrl, processes, delayMs } = options
  const env = { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, SHUTDOWN_DELAY_MS: String(delayMs) }
  const stops: (() => Promise<void>)[] = []
  try {
    const ports = await Promise.all(Array.from({ length: processes }, freePort))
    const served = ports.map((port) => new ServedProcess(port, env, options.from))
    stops.push(async () => void (await Promise.all(served.map((process) => process.stop()))))
    for (const process of served) await process.start()
    await database`update products set stock = 1000000 where id <= ${writers}`
    const proxy = await startReadyProxy(ports)
    stops.push(() => proxy.stop())

    const clients = new Clients({ port: proxy.port, readers, writers, pauseMs: 5 })
    stops.push(() => clients.stop())
    const watch = new ChangeWatch(database, proxy.port, boundMs)
    stops.push(() => watch.stop())
    const restarts = await restartAll(served, options, (port) => new ServedProcess(port, env))
    await sleep(boundMs)
    await watch.stop()
    await clients.stop()
    return { seen: clients.seen, changes: watch.seen, restarts, ...(await readOrders(database, clients.seen.orderIds)) }
  } finally {
    await stopAll(stops)
  }
}

/** All, the last first, even where one fails. */
async function stopAll(stops: readonly (() => Promise<void>)[]): Promise<void> {
  const [stop, ...others] = stops.toReversed()
  if (stop) await stop().finally(() => stopAll(others.reverse()))
}

async function restartAll(
  served: ServedProcess[],
  { goOn, onRestart }: RollOptions,
  create: (port: number) => ServedProcess,
): Promise<number> {
  for (let rounds = 1; ; rounds += 1) {
    for (const [index, old] of served.entries()) {
      const startedAt = performance.now()
      await old.stop()
      const young = create(old.port)
      served[index] = young
      await young.start()
      onRestart(young.port, performance.now() - startedAt)
    }
    if (!goOn(rounds)) return rounds * served.length
  }
}

async function readOrders(database: Database, acknowledged: readonly string[]) {
  // The demo data has 250.
  const made = new Set((await database`select 'order_' || id as id from orders where id > 250`).map(({ id }) => id))
  const [stock] = await database<[{ left: number }]>`select sum(stock)::bigint as left from products where id <= ${writers}`
  return {
    orders: made.size,
    lostOrders: acknowledged.filter((id) => !made.has(id)).length,
    unitsTaken: writers * 1_000_000 - stock.left,
  }
}
