import 'reflect-metadata'
import { setTimeout as sleep } from 'node:timers/promises'
import { startApp } from '../src/app.js'
import { readConfig } from '../src/config.js'
import { openScratchShop } from './scratch-shop.js'

// npm run outage: Redis is killed under steady load, is away for a while, and comes back; what do readers notice?

const phaseMs = 5_000
const pauseMs = 10
const readers = 20
const nearMb = process.argv.includes('--near') ? '32' : '0'

const { databaseUrl, database, redis, close } = await openScratchShop()
const settings = { PORT: '0', DATABASE_URL: databaseUrl, REDIS_URL: redis.url, LOG_LEVEL: 'silent', CACHE_NEAR_MB: nearMb }
const app = await startApp(readConfig(settings))

interface Phase {
  name: string
  latenciesMs: number[]
  failed: number
  /** Statements of the shop's pool running at once, at most, by samples */
  statements: number
}

const phases: Phase[] = ['with Redis', 'Redis killed', 'Redis back'].map((name) => ({
  name,
  latenciesMs: [],
  failed: 0,
  statements: 0,
}))
let phase = phases[0] as Phase
let running = true

await fetchOrder(1)
const work = [...Array.from({ length: readers }, (_, index) => read(index)), sample()]
await sleep(phaseMs)
phase = phases[1] as Phase
await redis.kill()
await sleep(phaseMs)
await redis.start()
phase = phases[2] as Phase
await sleep(phaseMs)
running = false
await Promise.all(work)

for (const { name, latenciesMs, failed, statements } of phases) {
  latenciesMs.sort((a, b) => a - b)
  const at = (share: number) => `${(latenciesMs[Math.floor(share * (latenciesMs.length - 1))] ?? 0).toFixed(1)} ms`
  console.log(
    `${name.padEnd(14)} ${String(latenciesMs.length).padStart(6)} requests, ${failed} failed, p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)}, statements at once ${statements}`,
  )
}

await app.stop()
await close()
process.exit(phases.some(({ failed }) => failed > 0) ? 1 : 0)

async function read(reader: number): Promise<void> {
  for (let round = 0; running; round += 1) {
    const startedAt = performance.now()
    const its = phase
    const succeeded = await fetchOrder(1 + ((reader * 37 + round) % 250))
    its.latenciesMs.push(performance.now() - startedAt)
    if (!succeeded) its.failed += 1
    await sleep(pauseMs)
  }
}

async function fetchOrder(number: number): Promise<boolean> {
  const query = `{ order(id: "order_${number}") { id user { name } products { name } } }`
  try {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(app.url, { method: 'POST', headers, body: JSON.stringify({ query }) })
    const { data, errors } = (await response.json()) as { data?: { order?: { id: string } }; errors?: unknown[] }
    return errors === undefined && data?.order?.id === `order_${number}`
  } catch {
    return false
  }
}

async function sample(): Promise<void> {
  while (running) {
    const [row] = await database`
      select count(*) as active from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and datname = current_database()`
    phase.statements = Math.max(phase.statements, row?.active ?? 0)
    await sleep(20)
  }
}
