import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { dark, expectNoOverflow, noBrowser, phone, screenshot, startBrowser, type TestBrowser } from '../helpers/browser.js'
import { expectReadableText } from '../helpers/contrast.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { adminToken, customerToken, secret } from '../helpers/tokens.js'

const tile = (page: Page, name: string) => page.locator('.tiles > div', { hasText: name }).locator('.value')
const row = (page: Page, table: string, name: string) =>
  page.getByRole('region', { name: table }).getByRole('row').filter({ hasText: name })
const desktop = { viewport: { width: 1280, height: 800 } }

/** Causes some traffic of every kind that the page shows. */
async function traffic(app: TestApp, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    for (let order = 1; order <= 10; order += 1)
      await app.query('query Order($id: ID!) { order(id: $id) { total user { name } products { name } } }', {
        id: `order_${order}`,
      })
    await app.query(`query Catalogue { products(category: "Books", first: ${(round % 20) + 1}) { nodes { name } } }`)
    await app.query(
      `mutation Stock { updateProductStock(productId: "product_${(round % 20) + 1}", stock: 5) { product { stock } } }`,
    )
  }
}

describe.skipIf(noBrowser || noRedis)('the dashboard', () => {
  let redis: TestRedis
  let database: TestDatabase
  let app: TestApp
  let browser: TestBrowser
  let pages: Page[] = []
  beforeAll(async () => {
    ;[browser, redis, database] = await Promise.all([startBrowser(), startRedis(), createDatabase()])
    app = await startTestApp({
      redisUrl: redis.url,
      database,
      env: { CACHE_NEAR_MB: '8', REDIS_HEALTH_INTERVAL_MS: '50' },
    })
  })
  afterAll(async () => {
    await app.stop()
    await Promise.all([browser.stop(), redis.stop(), database.drop()])
  })
  afterEach(async () => {
    // Open pages keep polling.
    for (const page of pages) await page.close()
    pages = []
  })
  const open = async (options = {}) => {
    const opened = await browser.open(`${app.origin}/dashboard`, options)
    pages.push(opened.page)
    return opened
  }

  test('shows an idle server without numbers that nothing happened for, and then the traffic', async () => {
    const { page, externalRequests } = await open()
    await page.getByText('no requests in the last 10 seconds').waitFor()
    await tile(page, 'SQL per request').getByText('–', { exact: true }).waitFor()
    await tile(page, 'Latency').getByText('–', { exact: true }).waitFor()
    await page.getByText('No answer had an error.').waitFor()
    await page.getByText(/^No reads in the last \d+ seconds\.$/).waitFor()
    await app.query('query Once { user(id: "user_1") { id } }')
    await page.getByText('of 1 request: too few for percentiles').waitFor()
    await row(page, 'Operations', 'Once')
      .getByText(/^max [\d.]+ m?s$/)
      .waitFor()

    await traffic(app, 10)
    await page.getByText('Healthy.', { exact: true }).waitFor()
    await tile(page, 'Hit rate')
      .getByText(/^[1-9][\d.]* %$/)
      .waitFor()
    await tile(page, 'Requests/s')
      .getByText(/^[1-9]/)
      .waitFor()
    await tile(page, 'Latency, p99').getByText(/m?s$/).waitFor()
    await tile(page, 'SQL per request')
      .getByText(/^[\d.]+$/)
      .waitFor()
    await tile(page, 'Invalidation lag, max').getByText(/m?s$/).waitFor()
    await row(page, 'Namespaces', 'products').getByText(/%/).first().waitFor()
    expect(externalRequests).toEqual([])
  })

  test('shows what failed and what was refused by code, and whether the log has the cause', async () => {
    await app.query('query Broken { nothing }')
    await app.query('query TooMuch { users(first: 101) { totalCount } }')
    const { page } = await open()
    await row(page, 'Errors', 'BAD_USER_INPUT').getByText('Client error').waitFor()
    // LOG_LEVEL=silent in tests
    await row(page, 'Errors', 'GRAPHQL_VALIDATION_FAILED').getByText('Not in the log').waitFor()
    await row(page, 'Operations', 'TooMuch').getByText('1 (100 %)').waitFor()
  })

  test('sorts the operations, and shows all of them on request', async () => {
    for (let index = 0; index < 12; index += 1) await app.query(`query Rare${index}th { __typename }`)
    await app.query('query Expensive { users(first: 50) { nodes { name orders(first: 5) { nodes { id } } } } }')
    const { page } = await open()
    await page.getByRole('button', { name: 'Cost' }).click()
    const first = page.getByRole('region', { name: 'Operations' }).getByRole('rowheader').first()
    await first.getByText('Expensive').waitFor()
    expect(await page.getByRole('columnheader', { name: 'Cost' }).getAttribute('aria-sort')).toBe('descending')
    await page.getByRole('button', { name: /^Show all \d+$/ }).click()
    await row(page, 'Operations', 'Rare11th').waitFor()
  })

  test('flushes a namespace only after a confirmation', async () => {
    await app.query('{ user(id: "user_1") { id } }')
    const { page } = await open()
    const flush = page.getByRole('button', { name: 'Flush users' })
    const generationCount = async () => (await redis.client.keys('*:v1:users')).length
    expect(await generationCount()).toBe(1)

    await flush.click()
    await page.getByRole('dialog', { name: 'Flush users?' }).waitFor()
    await screenshot(page, 'dashboard-confirm')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await flush.click()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    expect(await generationCount()).toBe(1)

    await flush.click()
    await page.getByRole('dialog').getByRole('button', { name: 'Flush', exact: true }).click()
    await page.getByText('users was flushed.').waitFor()
    expect(await generationCount()).toBe(0)
  })

  test('looks up an entry', async () => {
    await app.query('{ product(id: "product_2") { id } }')
    const { page } = await open()
    await page.getByLabel('Namespace', { exact: true }).selectOption('products')
    const lookUp = async (id: string) => {
      await page.getByLabel('Id, or name of a list').fill(id)
      await page.keyboard.press('Enter')
    }
    await lookUp('product_2')
    await page.getByRole('article').getByText('"price"').waitFor()
    await page
      .getByText(/fresh, .+ to .+ old, fresh for .+, kept for/)
      .first()
      .waitFor()
    await screenshot(page, 'dashboard-entry')
    await lookUp('<b>product_0</b>')
    await page.getByText('Far: absent').waitFor()
    await page.getByLabel('Namespace', { exact: true }).selectOption('product-lists')
    await lookUp('category:Books')
    await page.getByRole('heading', { name: 'First page of 20', exact: true }).waitFor()
  })

  test('shows the hot keys, and looks one up', async () => {
    for (let times = 0; times < 40; times += 1)
      await app.query('query Hot { order(id: "order_99") { id } product(id: "product_98") { id } }')
    await app.query('{ products(category: "Books", first: 7, sortBy: PRICE_ASC) { nodes { id } } }')
    const { page } = await open()
    const hotKeys = page.getByRole('region', { name: 'Hot keys' })
    for (const [id, namespace] of [
      ['order_99', 'orders'],
      ['product_98', 'products'],
    ] as const) {
      const found = row(page, 'Hot keys', id)
      await found.getByText(namespace, { exact: true }).waitFor()
      await found.getByText(/^[1-9][\d.]* %$/).waitFor()
      await found.getByText(/^[1-9\d.<][\d.]*$/).waitFor()
    }
    await page.getByText(/^The keys read most often in the last \d+ seconds, of about [\d,]+ reads\.$/).waitFor()
    expect(await hotKeys.getByRole('row').count()).toBeLessThanOrEqual(11)
    await page.getByRole('button', { name: 'Look up product_98 of products' }).click()
    await page.getByRole('article').getByText('"product_98"').waitFor()
    expect(await page.getByLabel('Id, or name of a list').inputValue()).toBe('product_98')
    await screenshot(page, 'dashboard-hot-keys')
  })

  test('warms up the cache', async () => {
    const { page } = await open()
    await page.getByRole('button', { name: 'Warm up' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Warm up' }).click()
    await page.getByText(/now holds [\d,]+ of the newest/).waitFor()
  })

  test('explains its values', async () => {
    const { page } = await open(phone)
    const meaning = page.getByText('Negative hits (the row does not exist)')
    await page.getByText('What the values mean').click()
    await meaning.scrollIntoViewIfNeeded()
    expect(await meaning.isVisible()).toBe(true)
    await expectNoOverflow(page)
    await expectReadableText(page)
    await screenshot(page, 'dashboard-values')
  })

  test('links to the other pages', async () => {
    const { page } = await open()
    const links = page.getByRole('navigation').getByRole('link')
    const paths = await Promise.all((await links.all()).map((link) => link.getAttribute('href')))
    expect(paths).toEqual(['/', '/graphiql', '/metrics', '/health'])
    for (const path of paths) expect((await fetch(`${app.origin}${path}`)).status).toBe(200)
    await links.first().click()
    await page.getByRole('link', { name: 'Dashboard' }).click()
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
  })

  test('with authentication, asks for a token, says what is wrong with it, and keeps a good one for this tab only', async () => {
    const guarded = await startTestApp({ redisUrl: redis.url, database, env: { AUTH_JWT_SECRET: secret } })
    try {
      const { page } = await browser.open(`${guarded.origin}/dashboard`, {}, /\b40[13]\b/)
      pages.push(page)
      const field = page.getByLabel('Token', { exact: true })
      const enter = async (token: string) => {
        await field.fill(token)
        await page.keyboard.press('Enter')
      }
      await field.waitFor()
      await page.getByText('For administrators only').waitFor()
      expect(await page.getByRole('alert').allTextContents()).not.toContain('Loading')
      await screenshot(page, 'dashboard-token')
      await enter('wrong')
      await page.getByText('The server refused this token: The token is not a JSON Web Token').waitFor()
      await enter(await customerToken('user_1'))
      await page.getByText("This is a customer's token.").waitFor()
      await expectReadableText(page)

      await enter(await adminToken())
      await page.getByText('The last 10 seconds of').waitFor()
      await field.waitFor({ state: 'hidden' })
      await page.reload()
      await page.getByText('The last 10 seconds of').waitFor()
      const stored = await page.evaluate<number[]>('[sessionStorage.length, localStorage.length, document.cookie.length]')
      expect(stored).toEqual([1, 0, 0])
      await page.getByRole('link', { name: 'Metrics' }).click()
      await page.getByText('# HELP graphql_requests_total').waitFor()
      await page.goBack()
      await page.getByRole('button', { name: 'Forget the token' }).click()
      await field.waitFor()
      expect(await page.locator('#hot-keys tbody tr').count()).toBe(0)
      expect(await page.evaluate('sessionStorage.length')).toBe(0)
    } finally {
      for (const page of pages) await page.close()
      pages = []
      await guarded.stop()
    }
  })

  // Before the outage: the page reports an outage for some seconds after its end.
  test('reports that the server does not answer, and keeps the old data', async () => {
    const { page } = await open()
    await page.getByText('Healthy').waitFor()
    await page.route('**/dashboard/metrics*', (route) => route.fulfill({ status: 200, body: 'not JSON' }))
    await page.getByRole('alert').getByText('The server does not answer. Retrying every 2 seconds').waitFor()
    await tile(page, 'Hit rate').waitFor()
    await page.unroute('**/dashboard/metrics*')
    await page.getByRole('alert').waitFor({ state: 'hidden' })
  })

  test('describes a Redis outage and what to do, and recovers after it', async () => {
    const { page } = await open()
    await traffic(app, 1)
    await page.getByText('Healthy.', { exact: true }).waitFor()
    await redis.kill()
    await page.getByText('The cache server cannot be reached').waitFor()
    await page.getByText('only the process that answered').waitFor()
    await traffic(app, 1)
    await tile(page, 'SQL per request')
      .getByText(/^[1-9]/)
      .waitFor()
    await screenshot(page, 'dashboard-without-redis')
    await page.getByRole('button', { name: 'Flush users' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Flush', exact: true }).click()
    await page.getByText('Failed: The cache server cannot be reached. Nothing was flushed').waitFor()
    await redis.start()
    await page.getByText('The last 10 seconds of 1 process').waitFor()
  })

  test('shows the values at the pointer or at the time selected by keyboard, with unit and time, in every chart', async () => {
    await traffic(app, 1)
    const { page } = await open()
    // Shown once the slot of 10 seconds is complete
    await row(page, 'Namespaces', 'orders').locator('td').nth(8).getByText(/%/).waitFor()
    const charts = page.getByRole('slider')
    expect(await charts.count()).toBe(6)
    const latency = page.getByRole('slider', { name: 'Request latency' })
    await latency.focus()
    const text = () => latency.getAttribute('aria-valuetext')
    const last = await text()
    expect(last).toMatch(/^\d\d:\d\d:\d\d to \d\d:\d\d:\d\d: p50 .+, p95 .+, p99 .+, Max .+$/)
    const requestsAt = /^\d\d:\d\d:\d\d to \d\d:\d\d:\d\d: .*Max [\d.]+ m?s$/
    for (let slot = 0; slot < 30 && !requestsAt.test((await text()) ?? ''); slot += 1) await page.keyboard.press('ArrowLeft')
    expect(await text()).toMatch(requestsAt)
    await page.keyboard.press('PageDown')
    expect(await text()).not.toBe(last)
    await page.keyboard.press('End')
    expect(await text()).toBe(last)
    await page.keyboard.press('Escape')
    expect(await text()).toMatch(/^The last 10 seconds: /)

    for (const chart of await charts.all()) {
      await chart.hover({ position: { x: 200, y: 60 } })
      const figure = page.locator('figure').filter({ has: page.locator('.tip:not([hidden])') })
      expect(await figure.getByRole('slider').getAttribute('aria-label')).toBe(await chart.getAttribute('aria-label'))
      await figure
        .locator('.tip')
        .getByText(/^\d\d:\d\d:\d\d to \d\d:\d\d:\d\d$/)
        .waitFor()
    }
    expect(await page.getByRole('slider', { name: 'Requests' }).getAttribute('aria-valuetext')).toMatch(/All (–|[\d.]+\/s)/)
  })

  test('the range can be selected with the keyboard, and a reload keeps the history of the hour', async () => {
    const { page } = await open()
    // Chromium uses its HTTP cache only if requests are not intercepted.
    await page.context().unrouteAll()
    await page.reload()
    await page.getByRole('radio', { name: '10 minutes' }).focus()
    await page.keyboard.press('ArrowRight')
    expect(await page.getByRole('radio', { name: '1 hour' }).isChecked()).toBe(true)
    await row(page, 'Namespaces', 'orders').locator('td').nth(8).getByText(/%/).waitFor()
    await page.reload()
    await row(page, 'Namespaces', 'orders').locator('td').nth(8).getByText(/%/).waitFor()
  })

  test.each([
    ['dashboard', desktop],
    ['dashboard-dark', { ...dark, ...desktop }],
    ['dashboard-phone', phone],
    ['dashboard-phone-dark', { ...phone, ...dark }],
  ])('fits the viewport, with readable text and a button to flush in reach: %s', async (name, options) => {
    await traffic(app, 2)
    const { page } = await open(options)
    await tile(page, 'Hit rate').getByText(/%$/).first().waitFor()
    await screenshot(page, name)
    await expectNoOverflow(page)
    await expectReadableText(page)
    const flush = page.getByRole('button', { name: 'Flush stats' })
    const box = await flush.boundingBox()
    expect(box?.x).toBeGreaterThan(0)
    expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(options.viewport?.width ?? 0)
    await flush.click()
    await page.getByRole('dialog', { name: 'Flush stats?' }).getByRole('button', { name: 'Cancel' }).click()
  })
})
