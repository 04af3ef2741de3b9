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
  /** Additional environment variables of the process */
  env?: Readonly<Record<string, string>>
}

/** What readers and the operator noticed during one phase */
export interface Phase {
  name: string
  latenciesMs: number[]
  failed: number
  /** Lookups for which the cache counted Redis as unavailable */
  unavailable: number
  /** Lookups that went to the database */
  misses: number
  /** Maximum number of concurrent SQL statements in the samples */
  statements: number
  /** Whether the cache was trusted at every sample */
  alwaysTrusted: boolean
}

/**
 * Runs a warm process under steady load: without faults, then stalled repeatedly, then with Redis killed, then with Redis
 * restarted.
 */
export async function runOutage(
  shop: ScratchShop,
  options: OutageOptions,
  cleanups: (() => Promise<unknown>)[],
): Promise<Phase[]> {
  const { phaseMs, stalls } = options
  const served = new ServedProcess(await freePort(), {
    ...{ DATABASE_URL: shop.databaseUrl, REDIS_URL: shop.redis.url },
    ...{ CACHE_NEAR_MB: options.near ? '32' : '0', AUDIT_INTERVAL_MS: '0', ...options.env },
  })
  cleanups.push(() => served.stop())
  await served.start()
  const readers = startReaders(served.port, options.readers)
  cleanups.push(() => readers.stop())
  const observe = async (name: string, act: () => Promise<unknown>): Promise<Phase> => {
    readers.take()
    const before = await readMetrics(served.origin)
    const samples = sampleUntil(act(), served, shop)
    const { statements, alwaysTrusted } = await samples
    const after = await readMetrics(served.origin)
    const increase = (metric: string, labels = {}) => sumOf(after, metric, labels) - sumOf(before, metric, labels)
    return {
      ...{ name, ...readers.take(), statements, alwaysTrusted },
      unavailable: increase('cache_errors_total', { kind: 'unavailable' }),
      misses: increase('cache_misses_total'),
    }
  }
  await warmUp(served, phaseMs)
  return [
    await observe('with Redis', () => sleep(phaseMs)),
    await observe('process stalled', () => stall(served.pid as number, stalls)),
    await observe('Redis killed', () => shop.redis.kill().then(() => sleep(phaseMs))),
    await observe('Redis back', () => shop.redis.start().then(() => sleep(phaseMs))),
  ]
}

/** Waits until a whole phase has passed without a miss. */
async function warmUp(served: ServedProcess, phaseMs: number): Promise<void> {
  for (let [misses, before] = [1, 0]; misses > before; ) {
    before = sumOf(await readMetrics(served.origin), 'cache_misses_total')
    await sleep(phaseMs)
    misses = sumOf(await readMetrics(served.origin), 'cache_misses_total')
  }
}

async function sampleUntil(ended: Promise<unknown>, served: ServedProcess, { database }: ScratchShop) {
  let [statements, alwaysTrusted, hasEnded] = [0, true, false]
  const end = () => {
    hasEnded = true
  }
  ended.then(end, end)
  while (!hasEnded) {
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
