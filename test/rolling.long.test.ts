import { describe, expect, test } from 'vitest'
import { hasPassed, rollingTable } from '../torture/rolling/report.js'
import { runRollingRestart } from '../torture/rolling/rolling-restart.js'
import { createDatabase } from './helpers/database.js'
import { noRedis, startRedis } from './helpers/redis.js'

describe.skipIf(noRedis)('a rolling restart under load', () => {
  test('fail no request, lose no order and create none twice', async () => {
    const redis = await startRedis()
    const database = await createDatabase()
    const summary = await runRollingRestart({
      ...{ databaseUrl: database.url, database: database.sql, redisUrl: redis.url, processes: 2, delayMs: 1_500, pauseMs: 20 },
      shouldContinue: () => false,
      onRestart: () => {},
    })
    expect(hasPassed(summary), rollingTable(summary)).toBe(true)
    expect(summary.restarts).toBe(2)
    expect(Math.min(summary.clients.queries, summary.orders)).toBeGreaterThan(20)
    await database.drop()
    await redis.stop()
  })
})
