import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { dark, expectNoOverflow, noBrowser, phone, screenshot, startBrowser, type TestBrowser } from '../helpers/browser.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { adminToken, secret } from '../helpers/tokens.js'

const figure = (page: Page, name: string) => page.locator('.tiles > div', { hasText: name }).locator('.figure')
const row = (page: Page, namespace: string) =>
  page.getByRole('row', { name: namespace, exact: false }).filter({ hasText: namespace })

/** Some of everything that the page shows */
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
    // A page goes on asking.
    for (const page of pages) await page.close()
    await app.stop()
    await redis.stop()
  })
  const open = async (options = {}) => {
    const its = await browser.open(`${app.origin}/dashboard`, options)
    pages.push(its.page)
    return its
  }

  test('moves when there is traffic, and asks nobody else', async () => {
    const { page, askedElsewhere } = await open()
    await page.getByText('no requests in the last 10 seconds').waitFor()
    await traffic(app, 3)
    await page.getByText('All is well.', { exact: true }).waitFor()
    await figure(page, 'Hit rate')
      .getByText(/^[1-9][\d.]* %$/)
      .waitFor()
    await figure(page, 'Requests/s')
      .getByText(/^[1-9]/)
      .waitFor()
    await figure(page, 'Invalidation lag').getByText(/ms$/).first().waitFor()
    await row(page, 'products').getByText(/%/).first().waitFor()
    expect(askedElsewhere).toEqual([])
  })

  test('flushes a namespace after a confirmation, and not without one', async () => {
    await app.query('{ user(id: "user_1") { id } }')
    const { page } = await open()
    const flush = page.getByRole('button', { name: 'Flush users' })
    const held = async () => (await redis.client.keys('*:v1:users')).length
    expect(await held()).toBe(1)

    await flush.click()
    await page.getByRole('dialog', { name: 'Flush users?' }).waitFor()
    await screenshot(page, 'dashboard-confirm')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await flush.click()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    expect(await held()).toBe(1)

    await flush.click()
    await page.getByRole('dialog').getByRole('button', { name: 'Flush', exact: true }).click()
    await page.getByText('users was flushed.').waitFor()
    expect(await held()).toBe(0)
  })

  test('warms up with the token that was pasted, which a reload keeps', async () => {
    const { page } = await open()
    await page.getByText('Administrator’s token').click()
    await page.getByLabel(/bearer token/).fill('its-token')
    await page.getByRole('button', { name: 'Use it' }).click()
    await page.reload()
    await page.getByRole('button', { name: 'Warm up' }).click()
    const [mutation] = await Promise.all([
      page.waitForRequest((request) => request.url().endsWith('/graphql')),
      page.getByRole('dialog').getByRole('button', { name: 'Warm up' }).click(),
    ])
    expect(await mutation.headerValue('authorization')).toBe('Bearer its-token')
    await page.getByText(/now holds [\d,]+ of the newest/).waitFor()
  })

  test('asks for a token where the figures are for administrators', async () => {
    const guarded = await startTestApp({ redisUrl: redis.url, database: app.database, env: { AUTH_JWT_SECRET: secret } })
    try {
      const { page } = await browser.open(`${guarded.origin}/dashboard`, {}, /\b401\b/)
      pages.push(page)
      await page.getByText('Only administrators may see this: paste a token at the end of the page.').waitFor()
      await page.getByText('Administrator’s token').click()
      await page.getByLabel(/bearer token/).fill(await adminToken())
      await page.getByRole('button', { name: 'Use it' }).click()
      await page.getByText('The last 10 seconds of').waitFor()
      await page.close()
    } finally {
      await guarded.stop()
    }
  })

  test('says what to do when something is wrong, and goes on when it is mended', async () => {
    const { page } = await open()
    await traffic(app, 1)
    await page.getByText('All is well.', { exact: true }).waitFor()
    await redis.kill()
    await page.getByText('The cache server cannot be reached').waitFor()
    await page.getByText('only the process that answered').waitFor()
    await traffic(app, 1)
    await figure(page, 'SQL statements/s')
      .getByText(/^[1-9]/)
      .waitFor()
    await screenshot(page, 'dashboard-without-redis')
    await page.getByRole('button', { name: 'Flush users' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Flush', exact: true }).click()
    await page.getByText('Not done: The cache server cannot be reached, nothing was flushed').waitFor()
    await redis.start()
    await page.getByText('The last 10 seconds of 1 process').waitFor()
  })

  test('says so when the server does not answer, and keeps what it knows', async () => {
    const { page } = await open()
    await page.getByText('All is well').waitFor()
    const refused = await open()
    await refused.page.route('**/dashboard/figures*', (route) => route.fulfill({ status: 200, body: 'not what was asked for' }))
    await refused.page.getByRole('alert').getByText('The server does not answer; trying again every 2 seconds').waitFor()
    await refused.page.unroute('**/dashboard/figures*')
    await refused.page.getByRole('alert').waitFor({ state: 'hidden' })
  })

  test('the keyboard reaches the range, and the history of an hour is there after a reload', async () => {
    await traffic(app, 1)
    const { page } = await open()
    await page.getByRole('radio', { name: '10 minutes' }).focus()
    await page.keyboard.press('ArrowRight')
    expect(await page.getByRole('radio', { name: '1 hour' }).isChecked()).toBe(true)
    // The slot of ten seconds is over.
    await row(page, 'orders').locator('td').nth(8).getByText(/%/).waitFor()
    await page.reload()
    await row(page, 'orders').locator('td').nth(8).getByText(/%/).waitFor()
  })

  test.each([
    ['dashboard', { viewport: { width: 1280, height: 800 } }],
    ['dashboard-dark', { ...dark, viewport: { width: 1280, height: 800 } }],
    ['dashboard-phone', phone],
    ['dashboard-phone-dark', { ...phone, ...dark }],
  ])('fits: %s', async (name, options) => {
    await traffic(app, 2)
    const { page } = await open(options)
    await figure(page, 'Hit rate').getByText(/%$/).first().waitFor()
    await screenshot(page, name)
    await expectNoOverflow(page)
  })
})
