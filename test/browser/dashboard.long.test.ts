import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { dark, expectNoOverflow, noBrowser, phone, screenshot, startBrowser, type TestBrowser } from '../helpers/browser.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { adminToken, secret } from '../helpers/tokens.js'

const tile = (page: Page, name: string) => page.locator('.tiles > div', { hasText: name }).locator('.value')
const row = (page: Page, namespace: string) =>
  page.getByRole('row', { name: namespace, exact: false }).filter({ hasText: namespace })

/** Causes some traffic of every kind that the page shows. */
async function traffic(app: TestApp, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    for (let order = 1; order <= 10; order += 1)
      await app.query('query Order($id: ID!) { order(id: $id) { total user { name } products { name } } }', {
        id: `order_${order}`,
      })
    await app.query(`{ products(category: "Books", first: ${(round % 20) + 1}) { nodes { name } } }`)
    await app.query(
      `mutation Stock { updateProductStock(productId: "product_${(round % 20) + 1}", stock: 5) { product { stock } } }`,
    )
  }
}

describe.skipIf(noBrowser || noRedis)('the dashboard', () => {
  let redis: TestRedis
  let app: TestApp
  let browser: TestBrowser
  let pages: Page[]
  beforeAll(async () => {
    browser = await startBrowser()
  })
  afterAll(() => browser.stop())
  beforeEach(async () => {
    pages = []
    redis = await startRedis()
    app = await startTestApp({ redisUrl: redis.url, env: { CACHE_NEAR_MB: '8', REDIS_HEALTH_INTERVAL_MS: '50' } })
  })
  afterEach(async () => {
    // Open pages keep polling.
    for (const page of pages) await page.close()
    await app.stop()
    await redis.stop()
  })
  const open = async (options = {}) => {
    const opened = await browser.open(`${app.origin}/dashboard`, options)
    pages.push(opened.page)
    return opened
  }

  test('shows traffic, and sends no requests to other servers', async () => {
    const { page, externalRequests } = await open()
    await page.getByText('no requests in the last 10 seconds').waitFor()
    await traffic(app, 3)
    await page.getByText('Healthy.', { exact: true }).waitFor()
    await tile(page, 'Hit rate')
      .getByText(/^[1-9][\d.]* %$/)
      .waitFor()
    await tile(page, 'Requests/s')
      .getByText(/^[1-9]/)
      .waitFor()
    await tile(page, 'Invalidation lag').getByText(/ms$/).first().waitFor()
    await row(page, 'products').getByText(/%/).first().waitFor()
    expect(externalRequests).toEqual([])
  })

  test('flushes a namespace only after a confirmation', async () => {
    await app.query('{ user(id: "user_1") { id } }')
    const { page } = await open()
    const flush = page.getByRole('button', { name: 'Flush users' })
    const entryCount = async () => (await redis.client.keys('*:v1:users')).length
    expect(await entryCount()).toBe(1)

    await flush.click()
    await page.getByRole('dialog', { name: 'Flush users?' }).waitFor()
    await screenshot(page, 'dashboard-confirm')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await flush.click()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    expect(await entryCount()).toBe(1)

    await flush.click()
    await page.getByRole('dialog').getByRole('button', { name: 'Flush', exact: true }).click()
    await page.getByText('users was flushed.').waitFor()
    expect(await entryCount()).toBe(0)
  })

  test('warms up with the pasted token, which survives a reload', async () => {
    const { page } = await open()
    await page.getByText('Administrator token').click()
    await page.getByLabel(/bearer token/).fill('pasted-token')
    await page.getByRole('button', { name: 'Use token' }).click()
    await page.reload()
    await page.getByRole('button', { name: 'Warm up' }).click()
    const [mutation] = await Promise.all([
      page.waitForRequest((request) => request.url().endsWith('/graphql')),
      page.getByRole('dialog').getByRole('button', { name: 'Warm up' }).click(),
    ])
    expect(await mutation.headerValue('authorization')).toBe('Bearer pasted-token')
    await page.getByText(/now holds [\d,]+ of the newest/).waitFor()
  })

  test('asks for a token if the metrics are for administrators only', async () => {
    const guarded = await startTestApp({ redisUrl: redis.url, database: app.database, env: { AUTH_JWT_SECRET: secret } })
    try {
      const { page } = await browser.open(`${guarded.origin}/dashboard`, {}, /\b401\b/)
      pages.push(page)
      await page.getByText('Administrators only: paste a token at the end of the page.').waitFor()
      await page.getByText('Administrator token').click()
      await page.getByLabel(/bearer token/).fill(await adminToken())
      await page.getByRole('button', { name: 'Use token' }).click()
      await page.getByText('The last 10 seconds of').waitFor()
      await page.close()
    } finally {
      await guarded.stop()
    }
  })

  test('describes a Redis outage and what to do, and recovers after it', async () => {
    const { page } = await open()
    await traffic(app, 1)
    await page.getByText('Healthy.', { exact: true }).waitFor()
    await redis.kill()
    await page.getByText('The cache server cannot be reached').waitFor()
    await page.getByText('only the process that answered').waitFor()
    await traffic(app, 1)
    await tile(page, 'SQL statements/s')
      .getByText(/^[1-9]/)
      .waitFor()
    await screenshot(page, 'dashboard-without-redis')
    await page.getByRole('button', { name: 'Flush users' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Flush', exact: true }).click()
    await page.getByText('Failed: The cache server cannot be reached. Nothing was flushed').waitFor()
    await redis.start()
    await page.getByText('The last 10 seconds of 1 process').waitFor()
  })

  test('reports that the server does not answer, and keeps the old data', async () => {
    const { page } = await open()
    await page.getByText('Healthy').waitFor()
    const refused = await open()
    await refused.page.route('**/dashboard/metrics*', (route) => route.fulfill({ status: 200, body: 'not JSON' }))
    await refused.page.getByRole('alert').getByText('The server does not answer. Retrying every 2 seconds').waitFor()
    await refused.page.unroute('**/dashboard/metrics*')
    await refused.page.getByRole('alert').waitFor({ state: 'hidden' })
  })

  test('the range can be selected with the keyboard, and a reload keeps the history of the hour', async () => {
    await traffic(app, 1)
    const { page } = await open()
    await page.getByRole('radio', { name: '10 minutes' }).focus()
    await page.keyboard.press('ArrowRight')
    expect(await page.getByRole('radio', { name: '1 hour' }).isChecked()).toBe(true)
    // Shown once the slot of 10 seconds is complete
    await row(page, 'orders').locator('td').nth(8).getByText(/%/).waitFor()
    await page.reload()
    await row(page, 'orders').locator('td').nth(8).getByText(/%/).waitFor()
  })

  test.each([
    ['dashboard', { viewport: { width: 1280, height: 800 } }],
    ['dashboard-dark', { ...dark, viewport: { width: 1280, height: 800 } }],
    ['dashboard-phone', phone],
    ['dashboard-phone-dark', { ...phone, ...dark }],
  ])('fits the viewport: %s', async (name, options) => {
    await traffic(app, 2)
    const { page } = await open(options)
    await tile(page, 'Hit rate').getByText(/%$/).first().waitFor()
    await screenshot(page, name)
    await expectNoOverflow(page)
  })
})
