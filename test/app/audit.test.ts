import { execFile } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { longTimeouts } from '../helpers/long-timeouts.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

describe.skipIf(noRedis)('the audit', () => {
  let redis: TestRedis
  let app: TestApp
  beforeAll(async () => {
    redis = await startRedis()
    app = await startTestApp({ redisUrl: redis.url, env: { AUDIT_INTERVAL_MS: '100' } })
    await app.query('mutation { warmUpCache(limit: 20) { warmed { entries } } }')
  })
  afterAll(async () => {
    await app.stop()
    await redis.stop()
  })

  const sums = async () => {
    const { data } = await app.query('{ stats { caches { audited wrong } } }')
    const caches: { audited: number; wrong: number }[] = data.stats.caches
    return {
      audited: caches.reduce((sum, cache) => sum + cache.audited, 0),
      wrong: caches.reduce((sum, cache) => sum + cache.wrong, 0),
    }
  }

  /** Overwrites an entry with a wrong value, as an unknown bug would. */
  async function falsify(key: string, from: string, to: string): Promise<void> {
    const text = (await redis.client.get(key)) as string
    expect(text).toContain(from)
    await redis.client.set(key, text.replace(from, to), 'KEEPTTL')
  }

  function runAudit(): Promise<{ code: number; output: string }> {
    const env = { ...process.env, ...longTimeouts, DATABASE_URL: app.database.url, REDIS_URL: redis.url }
    return new Promise((resolve) => {
      execFile(process.execPath, ['dist/commands/audit.js'], { env }, (error, stdout, stderr) =>
        resolve({ code: (error?.code as number | undefined) ?? 0, output: stdout + stderr }),
      )
    })
  }

  test('in the background finds no wrong entries in a correct cache', async () => {
    await until(async () => (await sums()).audited > 50)
    expect((await sums()).wrong).toBe(0)
  })

  test('in the background finds, counts and repairs a wrong entry', async () => {
    const name = async () => (await app.query('{ product(id: "product_500") { category } }')).data.product.category
    const right = await name()
    await falsify('ecommerce:v1:products:product_500', `"category":"${right}"`, '"category":"Wrong"')
    expect(await name()).toBe('Wrong')
    await until(async () => (await name()) === right)
    expect((await sums()).wrong).toBe(1)
    const { caches } = (await app.query('{ stats { caches { namespace audited wrong accuracy } } }')).data.stats
    for (const { namespace, audited, wrong, accuracy } of caches) {
      expect(wrong).toBe(namespace === 'PRODUCTS' ? 1 : 0)
      expect(accuracy).toBeCloseTo(audited === 0 ? 100 : 100 - (100 * wrong) / audited, 3)
    }
  })

  test('rightRate, which is deprecated, equals accuracy', async () => {
    const { data } = await app.query('{ stats { caches { accuracy old: rightRate } } }') // Deprecated
    for (const { accuracy, old } of data.stats.caches) expect(old).toBe(accuracy)
  })

  test('as a command reports a correct cache', async () => {
    const { code, output } = await runAudit()
    expect(output).toMatch(/^\d+ entries compared, 0 wrong \(and invalidated\): 100\.0000 % correct$/m)
    expect(code).toBe(0)
  })

  test('repairs a wrong page that is sorted by price, which depends on bands of prices', async () => {
    const document = '{ products(category: "Books", sortBy: PRICE_ASC, first: 20) { nodes { id } } }'
    const firstId = async () => (await app.query(document)).data.products.nodes[0].id
    const right = await firstId()
    const pageKey = async () => {
      const keys = await redis.client.keys('ecommerce:v1:product-lists:category%3ABooks:*')
      const texts = await Promise.all(keys.map((key) => redis.client.get(key)))
      return keys[texts.findIndex((text) => text?.includes(`"ids":["${right}"`))]
    }
    await until(async () => (await pageKey()) !== undefined)
    await falsify((await pageKey()) as string, `"ids":["${right}"`, '"ids":["product_499"')
    expect(await firstId()).toBe('product_499')
    await until(async () => (await firstId()) === right)
  })
})
