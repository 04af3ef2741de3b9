import { type ChildProcess, execFile, spawn } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import type { BrowserContextOptions, Page, Request, Route } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../tools/free-port.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { dark, expectNoOverflow, noBrowser, screenshot, startBrowser, type TestBrowser } from '../helpers/browser.js'
import { deferred } from '../helpers/deferred.js'
import { installPackages } from '../helpers/packages.js'
import { until } from '../helpers/until.js'

const folder = 'examples/storefront'
const packages = await installPackages(folder)
/** What the browser reports about requests that a test lets fail */
const lostRequests = /net::ERR_INTERNET_DISCONNECTED/
const phone: BrowserContextOptions = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }
const desktop: BrowserContextOptions = { viewport: { width: 1280, height: 900 } }

describe.skipIf(noBrowser || packages.state === 'unreachable')(folder, () => {
  let app: TestApp
  let browser: TestBrowser
  let preview: ChildProcess
  let origin: string
  beforeAll(async () => {
    app = await startTestApp()
    const port = await freePort()
    origin = `http://127.0.0.1:${port}`
    ;[browser] = await Promise.all([startBrowser([app.origin, origin]), build(`${app.origin}/graphql`)])
    preview = startPreview(port)
    await until(() => isServed(origin))
  })
  afterAll(async () => {
    preview?.kill()
    await Promise.all([browser?.stop(), app?.stop()])
  })

  const setStock = (id: number, stock: number) => app.database.sql`update products set stock = ${stock} where id = ${id}`
  const stockOf = async (id: number) => (await app.database.sql`select stock from products where id = ${id}`)[0]?.stock
  const countOrders = async () => (await app.database.sql`select count(*)::int from orders`)[0]?.count
  /** Handles the requests of the page to the API, except the preflights. */
  const intercept = (page: Page, handle: (route: Route) => Promise<void>) =>
    page.route(`${app.origin}/graphql`, (route) => (route.request().method() === 'POST' ? handle(route) : route.continue()))

  /**
   * Waits until the subscription of the page has started, and the queries before and after that are answered: an older response could
   * hide a later event. The protocol does not confirm the start, so this changes the product until an event arrives.
   */
  async function untilLive({ events, isQuiet }: Traffic, id: number, onEvent = () => {}) {
    let stock = 1000
    await until(async () => {
      stock += 1
      await setStock(id, stock)
      return events() > 0
    })
    onEvent()
    await until(isQuiet)
  }

  async function openProduct(id: number, stock: number, expected?: RegExp) {
    const { page } = await browser.open('about:blank', desktop, expected)
    const traffic = observe(page)
    await page.goto(`${origin}/products/product_${id}`)
    await untilLive(traffic, id)
    await setStock(id, stock)
    await stockIs(page, stock)
    return page
  }

  test('the catalogue shows page after page, of all products or of a category', async () => {
    const { page, externalRequests } = await browser.open(origin)
    const loadMore = page.getByRole('button', { name: 'Load more' })
    await page.getByText('24 of 500').waitFor()
    expect(await productPaths(page)).toHaveLength(24)
    await loadMore.click()
    await page.getByText('48 of 500').waitFor()
    expect(new Set(await productPaths(page)).size).toBe(48)

    await page.getByRole('link', { name: 'Books', exact: true }).click()
    for (const count of [24, 48]) {
      await page.getByText(`${count} of 50`, { exact: true }).waitFor()
      await loadMore.click()
    }
    await page.getByText('50 of 50').waitFor()
    expect(new Set(await productPaths(page)).size).toBe(50)
    expect(await loadMore.count()).toBe(0)

    await page.goBack()
    await page.getByText('48 of 500').waitFor()
    expect(externalRequests).toEqual([])
  })

  test('an empty category, an unknown product and an unknown page are reported', async () => {
    const { page } = await browser.open(`${origin}/?category=Unknown`)
    await page.getByText('Nothing is sold in this category.').waitFor()
    await page.goto(`${origin}/products/product_0`)
    await page.getByText('This product is not sold').waitFor()
    await page.goto(`${origin}/unknown`)
    await page.getByText('There is no such page').waitFor()
  })

  test('while the API cannot be reached, the page reports it, and "Try again" does', async () => {
    const { page } = await browser.open(origin, {}, lostRequests)
    await page.getByText('24 of 500').waitFor()
    let isDown = true
    await intercept(page, (route) => (isDown ? route.abort('internetdisconnected') : route.continue()))
    const tryAgain = page.getByRole('alert').getByRole('button', { name: 'Try again' })
    await page.getByRole('button', { name: 'Load more' }).click()
    await page.getByText('The shop cannot be reached').waitFor()
    isDown = false
    await tryAgain.click()
    await page.getByText('48 of 500').waitFor()

    isDown = true
    await page.getByRole('link', { name: 'Garden', exact: true }).click()
    await page.getByText('The shop cannot be reached').waitFor()
    isDown = false
    await tryAgain.click()
    await page.getByText('24 of 50', { exact: true }).waitFor()
  })

  test('while the catalogue is loading, the page reports it', async () => {
    const { page } = await browser.open(origin)
    await page.getByText('24 of 500').waitFor()
    const answered = deferred<void>()
    await intercept(page, async (route) => {
      await answered.promise
      await route.continue()
    })
    await page.getByRole('link', { name: 'Toys', exact: true }).click()
    await page.getByText('Loading', { exact: true }).waitFor()
    answered.resolve()
    await page.getByRole('heading', { name: 'Toys' }).waitFor()
  })

  test('a product of the catalogue opens without waiting, and shows a change by SQL without a reload', async () => {
    const { page } = await browser.open(origin, desktop)
    await page.getByText('24 of 500').waitFor()
    const link = page.locator('main > .products > a').nth(3)
    const [path = '', name = ''] = [await link.getAttribute('href'), await link.locator('strong').textContent()]
    const traffic = observe(page)
    const mayContinue = deferred<void>()
    await intercept(page, async (route) => {
      await mayContinue.promise
      await route.continue()
    })
    await link.click()
    await page.getByRole('heading', { name: `${name}` }).waitFor()
    const id = Number(path?.replace(/\D/g, ''))
    await untilLive(traffic, id, () => mayContinue.resolve())
    for (const stock of [7, 0, 1234]) {
      await setStock(id, stock)
      await stockIs(page, stock)
    }
    await page.goBack()
    await page.locator(`a[href="${path}"]`, { hasText: '1234 in stock' }).waitFor()
  })

  test('a change while the connection was lost is shown once it is back', async () => {
    await setStock(9, 90)
    const { page } = await browser.open('about:blank')
    const changed = deferred<void>()
    let connections = 0
    let disconnect = () => Promise.resolve()
    await page.routeWebSocket(/graphql/, async (socket) => {
      connections += 1
      if (connections > 1) await changed.promise
      disconnect = () => socket.close({ code: 1001 })
      socket.connectToServer()
    })
    await page.goto(`${origin}/products/product_9`)
    await stockIs(page, 90)
    await until(() => connections === 1)
    await disconnect()
    await until(() => connections === 2)
    await setStock(9, 92)
    changed.resolve()
    await stockIs(page, 92)
  })

  test('an order takes its units out of stock, at once on the page and then in the database', async () => {
    const page = await openProduct(11, 20)
    const orders = await countOrders()
    const sent = deferred<void>()
    const mayContinue = deferred<void>()
    await intercept(page, async (route) => {
      sent.resolve()
      await mayContinue.promise
      await route.continue()
    })
    await order(page, 3)
    await sent.promise
    await stockIs(page, 17)
    expect(await stockOf(11)).toBe(20)
    mayContinue.resolve()
    await page.getByText(/Thank you\. order_\d+ over €[\d,.]+ is placed\./).waitFor()
    await stockIs(page, 17)
    expect([await stockOf(11), await countOrders()]).toEqual([17, orders + 1])
  })

  test('an order of more than there is shows the error at the quantity, and a smaller one succeeds', async () => {
    const page = await openProduct(12, 2)
    await order(page, 5)
    const quantity = page.getByLabel('Quantity')
    const error = page.locator(`#${await quantity.getAttribute('aria-describedby')}`)
    await error.getByText(/^Only 2 units of .* are left$/).waitFor()
    expect(await quantity.getAttribute('aria-invalid')).toBe('true')
    await screenshot(page, 'storefront-user-error')
    expect(await stockOf(12)).toBe(2)
    await stockIs(page, 2)

    await order(page, 2)
    await page.getByText('Thank you.').waitFor()
    expect(await quantity.getAttribute('aria-invalid')).toBeNull()
    await stockIs(page, 0)
    expect(await page.getByRole('button', { name: /^Order for/ }).isDisabled()).toBe(true)
  })

  test('an order whose response was lost is placed once, although it is sent again', async () => {
    const page = await openProduct(13, 2, lostRequests)
    const orders = await countOrders()
    let isLost = true
    const keys: string[] = []
    await intercept(page, async (route) => {
      const { operationName, variables } = route.request().postDataJSON()
      if (operationName !== 'CreateOrder') return route.continue()
      keys.push(variables.idempotencyKey)
      const response = await route.fetch()
      return isLost ? route.abort('internetdisconnected') : route.fulfill({ response })
    })
    await order(page, 2)
    await page.getByText('Trying again places only one order.').waitFor()
    await stockIs(page, 0)
    isLost = false
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('Thank you.').waitFor()
    expect([await stockOf(13), await countOrders()]).toEqual([0, orders + 1])
    await setStock(13, 9)
    await stockIs(page, 9)
    await order(page, 3)
    await page.getByText('Thank you.').waitFor()
    expect(await countOrders()).toBe(orders + 2)
    expect([keys.length, new Set(keys).size]).toEqual([3, 2])
  })

  test('the keyboard is enough to order, and the focused element has a visible outline', async () => {
    const page = await openProduct(14, 5)
    await page.getByRole('link', { name: 'Office' }).focus()
    await page.keyboard.press('Tab')
    expect(await focusRing(page)).toBe(true)
    await page.keyboard.press('Tab')
    await page.getByLabel('Quantity').and(page.locator(':focus')).waitFor()
    expect(await focusRing(page)).toBe(true)
    await page.keyboard.type('2')
    await page.keyboard.press('Enter')
    await page.getByText('Thank you.').waitFor()
  })

  test.each([
    ['desktop', desktop],
    ['desktop-dark', { ...desktop, ...dark }],
    ['phone', phone],
  ])('fits the viewport: %s', async (name, options) => {
    const { page } = await browser.open(`${origin}/?category=Kitchen`, options)
    await page.getByText('24 of 50', { exact: true }).waitFor()
    await expectNoOverflow(page)
    await screenshot(page, `storefront-catalogue-${name}`)
    await page.goto(`${origin}/products/product_15`)
    await page.getByText(/in stock$/).waitFor()
    await order(page, 2)
    await page.getByText('Thank you.').waitFor()
    await expectNoOverflow(page)
    await screenshot(page, `storefront-product-${name}`)
  })
})

/** Paths of the pages of the products in the catalogue */
function productPaths(page: Page): Promise<(string | null)[]> {
  return page.locator('a[href^="/products/"]').evaluateAll((links) => links.map((link) => link.getAttribute('href')))
}

interface Traffic {
  /** Number of events that the page received */
  events(): number
  /** Whether the product was queried when its page was opened and again after the subscription had started, and all is answered */
  isQuiet(): boolean
}

function observe(page: Page): Traffic {
  let [events, queries, unanswered] = [0, 0, 0]
  const isQuery = (request: Request) => request.postData()?.includes('query Product(') === true
  page.on('websocket', (socket) =>
    socket.on('framereceived', ({ payload }) => {
      if (String(payload).includes('"productChanged"')) events += 1
    }),
  )
  page.on('request', (request) => {
    if (!isQuery(request)) return
    queries += 1
    unanswered += 1
  })
  for (const end of ['requestfinished', 'requestfailed'] as const)
    page.on(end as 'requestfinished', (request) => {
      if (isQuery(request)) unanswered -= 1
    })
  return { events: () => events, isQuiet: () => queries >= 2 && unanswered === 0 }
}

async function stockIs(page: Page, stock: number): Promise<void> {
  await page.getByText(stock === 0 ? 'Sold out' : `${stock} in stock`, { exact: true }).waitFor()
}

async function order(page: Page, quantity: number): Promise<void> {
  await page.getByLabel('Quantity').fill(String(quantity))
  await page.getByRole('button', { name: /^Order for/ }).click()
}

/** Whether the focused element has an outline or a shadow around it */
function focusRing(page: Page): Promise<boolean> {
  return page.evaluate(
    '(({ outlineStyle, boxShadow }) => outlineStyle !== "none" || boxShadow !== "none")(getComputedStyle(document.activeElement))',
  )
}

/** Builds the storefront for an API. */
async function build(apiUrl: string): Promise<void> {
  await promisify(execFile)('npm', ['run', 'build'], { cwd: folder, env: { ...process.env, VITE_API_URL: apiUrl } })
}

function startPreview(port: number): ChildProcess {
  const args = ['preview', '--host', '127.0.0.1', '--port', String(port), '--strictPort']
  return spawn(process.execPath, ['node_modules/vite/bin/vite.js', ...args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

function isServed(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  )
}
