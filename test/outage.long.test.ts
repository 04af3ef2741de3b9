import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freePort } from '../tools/free-port.js'
import { runOutage } from '../torture/outage/outage.js'
import { findings } from '../torture/outage/report.js'
import { stall } from '../torture/outage/stall.js'
import { RedisServer } from '../torture/redis-server.js'
import { ServedProcess } from '../torture/served-process.js'
import { createDatabase } from './helpers/database.js'
import { longTimeouts } from './helpers/long-timeouts.js'
import { noRedis } from './helpers/redis.js'
import { until } from './helpers/until.js'

describe('a process that is repeatedly stopped, as by a CPU limit', () => {
  test.skipIf(noRedis)(
    'keeps using a healthy Redis, and notices when Redis is dead',
    async () => {
      const database = await createDatabase()
      const folder = await mkdtemp(join(tmpdir(), 'shop-redis-'))
      const redis = new RedisServer(await freePort(), folder)
      await redis.start()
      const cleanups: (() => Promise<unknown>)[] = [
        () => rm(folder, { recursive: true }),
        () => redis.stop(),
        () => database.drop(),
      ]
      onTestFinished(async () => {
        for (const cleanup of cleanups.reverse()) await cleanup()
      })
      const shop = { databaseUrl: database.url, database: database.sql, redis, close: async () => {} }
      const stalls = { count: 12, stoppedMs: 400, runningMs: 600 }
      const phases = await runOutage(shop, { near: false, readers: 6, phaseMs: 2_000, stalls }, cleanups)
      expect(findings(phases)).toEqual([])
      expect(phases.map(({ name, unavailable }) => [name, unavailable > 0])).toEqual([
        ['with Redis', false],
        ['process stalled', false],
        ['Redis killed', true],
        ['Redis back', expect.any(Boolean)],
      ])
      expect(phases[1]?.latenciesMs.length).toBeGreaterThan(100)
    },
    120_000,
  )

  test('keeps using a healthy database', async () => {
    const database = await createDatabase()
    const served = new ServedProcess(await freePort(), {
      ...longTimeouts,
      ...{ DATABASE_URL: database.url, DATABASE_TIMEOUT_MS: '5000', MAX_EVENT_LOOP_DELAY_MS: '60000' },
    })
    onTestFinished(async () => {
      await served.stop()
      await database.drop()
    })
    await served.start()
    const failures: unknown[] = []
    let isRunning = true
    const read = async (reader: { answers: number }) => {
      while (isRunning) {
        const headers = { 'content-type': 'application/json', 'cache-control': 'no-cache' }
        const body = JSON.stringify({ query: '{ order(id: "order_1") { id user { id } products { id } } }' })
        const response = await fetch(`${served.origin}/graphql`, { method: 'POST', headers, body })
        const { errors } = (await response.json()) as { errors?: unknown[] }
        if (errors) failures.push(...errors)
        reader.answers += 1
      }
    }
    const readers = Array.from({ length: 10 }, () => ({ answers: 0 }))
    const reads = readers.map(read)
    /** Waits until each reader has the answers to its current request, which the stall may have delayed, and to the next one. */
    const answersToAll = () => {
      const awaited = readers.map((reader) => ({ reader, count: reader.answers + 2 }))
      return until(() => awaited.every(({ reader, count }) => reader.answers >= count))
    }
    await answersToAll()
    for (const _ of Array(2).keys()) {
      // Longer than the limits of a silent connection and of a fetch: two statement timeouts and a second
      await stall(served.pid as number, { count: 1, stoppedMs: 11_500, runningMs: 0 })
      await answersToAll()
    }
    isRunning = false
    await Promise.all(reads)
    expect(failures).toEqual([])
  })
})
