import { describe, expect, test } from 'vitest'
import { hasRolledWell, rollingTable } from '../torture/rolling/report.js'
import { roll } from '../torture/rolling/roll.js'
import { createDatabase } from './helpers/database.js'
import { noRedis, startRedis } from './helpers/redis.js'

describe.skipIf(noRedis)('processes that are restarted in turn under load', () => {
  test('fail no request, lose no order and make none twice', async () => {
    const redis = await startRedis()
    const database = await createDatabase()
    const rolled = await roll({
      ...{ databaseUrl: database.url, database: database.sql, redisUrl: redis.url, processes: 2, delayMs: 1_500 },
      goOn: () => false,
      onRestart: () => {},
    })
    expect(hasRolledWell(rolled), rollingTable(rolled)).toBe(true)
    expect(rolled.restarts).toBe(2)
    expect(Math.min(rolled.seen.queries, rolled.orders)).toBeGreaterThan(20)
    await database.drop()
    await redis.stop()
  })
})
