import { setTimeout as sleep } from 'node:timers/promises'
import { readMetrics, type Samples, sumOf } from '../../test/helpers/prometheus.js'
import { freePort } from '../../tools/free-port.js'
import type { ScratchShop } from '../scratch-shop.js'
import { ServedProcess } from '../served-process.js'
import { startReaders } from './readers.js'
import { type Stalls, stall } from './stall.js'

export interface OutageOptions {
  near: boolean
  readers: number
  phaseMs: number
  stalls: Stalls
  /** Settings of the process beside those of the outage */
  env?: Readonly<Record<string, string>>
}

/** What readers and the operator saw */
export interface Phase {
  name: string
  latenciesMs: number[]
  failed: number
  /** Lookups for which the cache counted its server as unavailable */
  unavailable: number
  /** Lookups that went to the database */
  misses: number
  /** Statements of the process that ran at once, at most, by samples */
  statements: number
  /** Whether the cache was trusted at every sample */
  alwaysTrusted: boolean
}

/** A warm process under steady load: first with all in order, then stalled again and again, then with Redis killed, then with Redis back. */
export async function runOutage(shop: ScratchShop, options: OutageOptions, stops: (() => Promise<unknown>)[]): Promise<Phase[]> {
  const { phaseMs, stalls } = options
  const served = new ServedProcess(await freePort(), {
    ...{ DATABASE_URL: shop.databaseUrl, REDIS_URL: shop.redis.url },
    ...{ CACHE_NEAR_MB: options.near ? '32' : '0', AUDIT_INTERVAL_MS: '0', ...options.env },
  })
  stops.push(() => served.stop())
  await served.start()
  const readers = startReaders(served.port, options.readers)
  stops.push(() => readers.stop())
  const observe = async (name: string, act: () => Promise<unknown>): Promise<Phase> => {
    readers.take()
    const before = await readMetrics(served.origin)
    const samples = sampleUntil(act(), served, shop)
    const { statements, alwaysTrusted } = await samples
    const after = await readMetrics(served.origin)
    const grown = (metric: string, labels = {}) => sumOf(after, metric, labels) - sumOf(before, metric, labels)
    return {
      ...{ name, ...readers.take(), statements, alwaysTrusted },
      unavailable: grown('cache_errors_total', { kind: 'unavailable' }),
      misses: grown('cache_misses_total'),
    }
  }
  await becomesWarm(served, phaseMs)
  return [
    await observe('with Redis', () => sleep(phaseMs)),
    await observe('process stalled', () => stall(served.pid as number, stalls)),
    await observe('Redis killed', () => shop.redis.kill().then(() => sleep(phaseMs))),
    await observe('Redis back', () => shop.redis.start().then(() => sleep(phaseMs))),
  ]
}

/** Until no lookup of a whole phase went to the database */
async function becomesWarm(served: ServedProcess, phaseMs: number): Promise<void> {
  for (let [misses, before] = [1, 0]; misses > before; ) {
    before = sumOf(await readMetrics(served.origin), 'cache_misses_total')
    await sleep(phaseMs)
    misses = sumOf(await readMetrics(served.origin), 'cache_misses_total')
  }
}

async function sampleUntil(ended: Promise<unknown>, served: ServedProcess, { database }: ScratchShop) {
  let [statements, alwaysTrusted, isOver] = [0, true, false]
  const end = () => {
    isOver = true
  }
  ended.then(end, end)
  while (!isOver) {
    const [row] = await database`
      select count(*) as active from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and datname = current_database()`
    statements = Math.max(statements, row?.active ?? 0)
    alwaysTrusted &&= isTrusted(await readMetrics(served.origin))
    await sleep(sampleMs)
  }
  await ended
  return { statements, alwaysTrusted }
}

function isTrusted(samples: Samples): boolean {
  return sumOf(samples, 'cache_trusted') === 1
}

const sampleMs = 20
