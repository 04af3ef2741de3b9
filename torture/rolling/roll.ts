import type { Database } from '../../src/database/connection.js'
import { freePort } from '../../tools/free-port.js'
import { ServedProcess } from '../served-process.js'
import { Clients, type Seen } from './clients.js'
import { startReadyProxy } from './ready-proxy.js'

export interface RollOptions {
  /** With the demo data; nobody else writes to it meanwhile. */
  databaseUrl: string
  database: Database
  redisUrl: string
  processes: number
  /** How long a process serves on after SIGTERM */
  delayMs: number
  /** Asked after every round of restarts */
  goOn: (rounds: number) => boolean
  onRestart: (port: number, tookMs: number) => void
}

export interface Rolled {
  seen: Seen
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

/** Restarts each process in turn, again and again, while clients read and order through a proxy that keeps to those that are ready. */
export async function roll(options: RollOptions): Promise<Rolled> {
  const { database, databaseUrl, redisUrl, processes, delayMs } = options
  const env = { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, SHUTDOWN_DELAY_MS: String(delayMs) }
  const stops: (() => Promise<void>)[] = []
  try {
    await database`update products set stock = 1000000 where id <= ${writers}`
    const ports = await Promise.all(Array.from({ length: processes }, freePort))
    const served = ports.map((port) => new ServedProcess(port, env))
    stops.push(async () => void (await Promise.all(served.map((its) => its.stop()))))
    await Promise.all(served.map((its) => its.start()))
    const proxy = await startReadyProxy(ports)
    stops.push(() => proxy.stop())

    const clients = new Clients({ port: proxy.port, readers, writers, pauseMs: 5 })
    stops.push(() => clients.stop())
    const restarts = await restartAll(served, options)
    await clients.stop()
    return { seen: clients.seen, restarts, ...(await readOrders(database, clients.seen.orderIds)) }
  } finally {
    await stopAll(stops)
  }
}

/** All, the last first, even where one fails. */
async function stopAll(stops: readonly (() => Promise<void>)[]): Promise<void> {
  const [stop, ...others] = stops.toReversed()
  if (stop) await stop().finally(() => stopAll(others.reverse()))
}

async function restartAll(served: readonly ServedProcess[], { goOn, onRestart }: RollOptions): Promise<number> {
  for (let rounds = 1; ; rounds += 1) {
    for (const its of served) {
      const startedAt = performance.now()
      await its.stop()
      await its.start()
      onRestart(its.port, performance.now() - startedAt)
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
