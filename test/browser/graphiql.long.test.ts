import type { Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { starterOperations, starterSubscription } from '../../src/http/pages/starter-operations.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { dark, expectNoOverflow, noBrowser, phone, screenshot, startBrowser, type TestBrowser } from '../helpers/browser.js'
import { customerToken, secret } from '../helpers/tokens.js'
import { until } from '../helpers/until.js'

const phone390 = { ...phone, viewport: { width: 390, height: 844 } }

describe.skipIf(noBrowser)('GraphiQL', () => {
  let app: TestApp
  let browser: TestBrowser
  beforeAll(async () => {
    ;[app, browser] = await Promise.all([startTestApp(), startBrowser()])
  })
  afterAll(async () => {
    await Promise.all([browser.stop(), app.stop()])
  })

  test.each([
    ['event-stream', 'Server-sent events', 'graphiql-subscription', {}],
    ['web-socket', 'WebSocket', 'graphiql-subscription-phone-dark', { ...phone390, ...dark }],
  ])('the starter subscription shows a change by SQL, over %s', async (transport, name, picture, options) => {
    const { page } = await browser.open(`${app.origin}/graphiql`, options)
    await page.getByLabel('Subscriptions by').selectOption(transport)
    await openTab(page, 'ProductChanged')
    await runUntilConnected(page, name)
    await changeUntilShown(
      page,
      (attempt) => app.database.sql`update products set stock = ${8_000_000 + attempt} where id = 497`,
      '"stock": 8',
    )
    await statusHas(page, new RegExp(`^${name}: connected\\. Events: \\d+, the last at \\d\\d:\\d\\d:\\d\\d\\.$`))
    await screenshot(page, picture)
    await page.getByRole('button', { name: 'Stop query' }).click()
    await statusHas(page, `${name}: stopped.`)
    await page.reload()
    expect(await page.getByLabel('Subscriptions by').inputValue()).toBe(transport)
  })

  test('a line shows the status, time and cost of an answer, and where its fields came from', async () => {
    const { page } = await browser.open(`${app.origin}/graphiql`)
    // Chromium sends Cache-Control: no-cache while requests are intercepted, and the server then bypasses the cache.
    await page.context().unrouteAll()
    await app.query('mutation { flushCache { namespace } }')
    await run(page)
    await statusHas(
      page,
      /^HTTP 200 OK in [\d.,]+ ms\. Cost: 5 of at most 250 points\. Cache: \d hits?, \d misses, \d SQL statements \(.*ms\)\.$/,
    )
    expect(await response(page).innerText()).not.toContain('extensions')
    await run(page)
    await statusHas(page, /Cache: 6 hits, 0 misses\.$/)
    await page.getByText('Where the fields came from').click()
    await page.getByText('products: 4 from the far store (Redis, if the server has one)').waitFor()
  })

  test('a refused query shows its HTTP status, and a report that the user requests stays in the answer', async () => {
    const { page } = await browser.open(`${app.origin}/graphiql`, {}, /400/)
    await enterQuery(page, 'query A { product(id: "subscription A {") { nothing } } # subscription A {')
    await run(page)
    await statusHas(page, /^HTTP 400 Bad Request in [\d.,]+ ms\. 1 error\.$/)
    await enterQuery(page, '{ products(first: 1) { totalCount } }')
    await enterHeaders(page, { 'X-Cost-Report': 'dry-run' })
    await run(page)
    await response(page).getByText('"requested"').waitFor()
  })

  test('it has a tab for each starter operation, also after a reload', async () => {
    const { page } = await browser.open(`${app.origin}/graphiql`)
    const names = [...starterOperations, starterSubscription].map(({ document }) => /^\w+ (\w+)/.exec(document)?.[1])
    for (const visit of ['first', 'second']) {
      if (visit === 'second') await page.reload()
      await run(page)
      await response(page).getByText('"order_1"').first().waitFor()
      await until(() => page.evaluate<boolean>("localStorage.getItem('graphiql:tabState') !== null"))
      expect(await page.getByRole('tab').allInnerTexts()).toEqual(names)
    }
  })

  test('the history lists what was run, and headers are sent but not stored', async () => {
    const { page } = await browser.open(`${app.origin}/graphiql`)
    await enterHeaders(page, { authorization: 'Bearer not-to-be-stored' })
    const request = page.waitForRequest((sent) => sent.postData()?.includes('query Order') === true)
    await run(page)
    expect((await request).headers().authorization).toBe('Bearer not-to-be-stored')
    await response(page).getByText('"order_1"').first().waitFor()
    await page.getByRole('button', { name: 'Show History' }).click()
    await page.locator('.graphiql-history-item').getByText('Order').waitFor()
    await screenshot(page, 'graphiql-history')
    const stored = () => page.evaluate<string>('JSON.stringify(localStorage)')
    await until(async () => (await stored()).includes('graphiql:queries'))
    expect(await stored()).not.toContain('not-to-be-stored')
    await page.reload()
    await page.locator('.graphiql-history-item').getByText('Order').waitFor()
  })

  test('title, run button and answer are in the viewport of a phone and of a desktop, and our texts have contrast', async () => {
    const { page, externalRequests } = await browser.open(`${app.origin}/graphiql`, phone390)
    await run(page)
    const answer = response(page).getByText('"order_1"').first()
    await answer.waitFor()
    await statusHas(page, 'HTTP 200 OK')
    for (const [device, viewport] of Object.entries({ phone: phone390.viewport, desktop: { width: 1280, height: 800 } }))
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize(viewport)
        await page.emulateMedia({ colorScheme })
        await screenshot(page, `graphiql-${device}-${colorScheme}`)
        await expectNoOverflow(page)
        const title = page.getByRole('link', { name: 'graphql-cached-shop' })
        for (const part of [title, executeButton(page), answer]) await expectInViewport(page, part)
        const contrasts = await page.evaluate<{ text: string; contrast: number }[]>(contrastsOfOurTexts)
        expect(contrasts.length).toBeGreaterThan(4)
        expect(contrasts.filter(({ contrast }) => contrast < 4.5)).toEqual([])
      }
    expect(externalRequests).toEqual([])
  })

  test('Tab shows a focus ring on our controls and on those of GraphiQL', async () => {
    const { page } = await browser.open(`${app.origin}/graphiql`)
    await executeButton(page).waitFor()
    const focused: string[] = []
    while (!focused.includes('graphiql-session-tab-0')) {
      await page.keyboard.press('Tab')
      const { style, width, id } = await page.evaluate<{ style: string; width: string; id: string }>(
        '(({ outlineStyle, outlineWidth }) => ({ style: outlineStyle, width: outlineWidth, id: document.activeElement.id }))(getComputedStyle(document.activeElement))',
      )
      focused.push(id)
      expect([style, width], `stop ${focused.length}`).toEqual(['solid', '3px'])
    }
    expect(focused.length).toBeGreaterThan(8)
  })

  test('GraphiQL and the dashboard link to each other', async () => {
    const { page } = await browser.open(`${app.origin}/dashboard`)
    await page.getByRole('link', { name: 'GraphiQL' }).click()
    await executeButton(page).waitFor()
    await page.getByRole('link', { name: 'Dashboard' }).click()
    await page.getByRole('heading', { name: 'Dashboard' }).waitFor()
  })

  test('with authentication, subscriptions are sent with the token, and the line says what to do about an error', async () => {
    const env = { AUTH_JWT_SECRET: secret, LIVE_MAX_CONNECTIONS_PER_ADDRESS: '2' }
    const shop = await startTestApp({ database: app.database, env })
    let isStopped = false
    const stop = async () => {
      if (!isStopped) await shop.stop()
      isStopped = true
    }
    onTestFinished(stop)
    const open = async () => {
      const expected = /\b(401|429)\b|WebSocket connection to|ERR_CONNECTION_REFUSED/
      const { page } = await browser.open(`${shop.origin}/graphiql`, {}, expected)
      await enterQuery(page, 'subscription { orderCreated(userId: "user_1") { total user { id } } }')
      return page
    }

    const pages = new Map<string, Page>()
    for (const [transport, name] of transports) {
      const page = await open()
      pages.set(name, page)
      await page.getByLabel('Subscriptions by').selectOption(transport)
      await run(page)
      await response(page).getByText('UNAUTHENTICATED').waitFor()
      await statusHas(page, 'Enter a valid token in the tab Headers')
      await enterHeaders(page, { authorization: 'Bearer wrong' })
      await run(page)
      await response(page).getByText(refusalOfToken[transport]).waitFor()
      await statusHas(page, 'Enter a valid token in the tab Headers')
      await enterHeaders(page, { authorization: `Bearer ${await customerToken('user_1')}` })
      await run(page)
      await statusHas(page, `${name}: connected, waiting for the first event.`)
      const order = () => app.database.sql`insert into orders (user_id, total_cents) values (1, 4200)`
      await changeUntilShown(page, order, '"total": 42')
    }

    const third = await open()
    for (const [transport] of transports) {
      await third.getByLabel('Subscriptions by').selectOption(transport)
      await run(third)
      await statusHas(third, refusalOfThird[transport])
    }
    await screenshot(third, 'graphiql-subscription-refused')
    // It may still be loading the workers of the editors, which fails once the server has stopped.
    await third.close()

    await stop()
    for (const [name, page] of pages) {
      const reason = 'The server is shutting down: connect again. To subscribe again, run the operation again.'
      await statusHas(page, `${name}: ended by the server. ${reason}`)
      // The last event stays visible.
      await response(page).getByText('"total": 42').waitFor()
      await run(page)
      await statusHas(page, `${name}: no connection. Start the server if it has stopped, then run the operation again.`)
    }
  })
})

const transports = [
  ['event-stream', 'Server-sent events'],
  ['web-socket', 'WebSocket'],
] as const
const refusalOfToken = {
  'event-stream': 'The token is not a JSON Web Token',
  'web-socket': 'the token was refused',
}
const refusalOfThird = {
  'event-stream': 'refused with HTTP 429. Too many subscriptions are open: stop one',
  'web-socket': 'it refused the connection: choose server-sent events to see the reason',
}

/** No test depends on the speed of the browser. */
const statusTimeoutMs = 60_000

function executeButton(page: Page): Locator {
  return page.getByRole('button', { name: 'Execute query' })
}

async function run(page: Page): Promise<void> {
  await executeButton(page).click()
}

async function openTab(page: Page, name: string): Promise<void> {
  await page.getByRole('tab').getByRole('button', { name, exact: true }).click()
  await untilStored(page, ({ title }) => title === name)
}

/**
 * Waits until GraphiQL has stored its tabs, half a second after a change. Before, it may send the name of the previous operation: it reads
 * the name from a changed text after a tenth of a second.
 */
async function untilStored(page: Page, isStored: (activeTab: { title: string; query: string }) => boolean): Promise<void> {
  await until(async () => {
    const text = await page.evaluate<string | null>("localStorage.getItem('graphiql:tabState')")
    const { tabs = [], activeTabIndex } = JSON.parse(text ?? '{}')
    return tabs[activeTabIndex] !== undefined && isStored(tabs[activeTabIndex])
  })
}

function response(page: Page): Locator {
  return page.locator('.result-window')
}

async function statusHas(page: Page, text: string | RegExp): Promise<void> {
  await expect.poll(() => page.locator('#status').innerText(), { timeout: statusTimeoutMs }).toMatch(text)
}

/** Runs the subscription, again if the server asks for that because it is overloaded by the tests beside this one. */
async function runUntilConnected(page: Page, name: string): Promise<void> {
  const connected = `${name}: connected, waiting for the first event.`
  let status = ''
  do {
    await run(page)
    await until(async () => {
      status = await page.locator('#status').innerText()
      return status === connected || status.includes('refused')
    })
    if (status !== connected && !status.includes('503')) throw new Error(status)
  } while (status !== connected)
}

async function enterQuery(page: Page, query: string): Promise<void> {
  await replaceText(page, page.locator('.graphiql-query-editor .monaco-editor'), query)
  // The editor may have closed a last bracket.
  await untilStored(page, (tab) => tab.query.startsWith(query))
}

/** Fills the tab "Headers". */
async function enterHeaders(page: Page, headers: Record<string, string>): Promise<void> {
  await page.getByRole('button', { name: 'Headers', exact: true }).click()
  await replaceText(page, page.locator('.graphiql-editor-tool .monaco-editor:visible'), JSON.stringify(headers))
}

async function replaceText(page: Page, editor: Locator, text: string): Promise<void> {
  await editor.click()
  // The editor would put brackets that are inserted around the selected text.
  await page.keyboard.press('Control+A')
  await page.keyboard.press('Delete')
  await page.keyboard.insertText(text)
}

/**
 * Repeats the change until the response has the text, because the protocols do not report when a subscription is active. Waits for the
 * text in between: a page that gets events faster than it shows them never becomes idle.
 */
async function changeUntilShown(page: Page, change: (attempt: number) => PromiseLike<unknown>, text: string): Promise<void> {
  const shown = response(page).getByText(text).first()
  let attempt = 0
  await until(async () => {
    attempt += 1
    await change(attempt)
    return shown.waitFor({ state: 'attached', timeout: 1_000 }).then(
      () => true,
      () => false,
    )
  })
}

async function expectInViewport(page: Page, part: Locator): Promise<void> {
  const box = await part.boundingBox()
  const { width = 0, height = 0 } = page.viewportSize() ?? {}
  expect(box).not.toBeNull()
  if (!box) return
  expect(Math.min(box.x, box.y)).toBeGreaterThanOrEqual(0)
  expect([box.x + box.width <= width, box.y + box.height <= height]).toEqual([true, true])
}

/** Runs in the page: the WCAG contrast ratios of the texts around GraphiQL to the page, whose background they have. */
const contrastsOfOurTexts = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const luminance = (color) => {
    canvas.fillStyle = color
    canvas.fillRect(0, 0, 1, 1)
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
      const share = value / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const background = luminance(getComputedStyle(document.body).backgroundColor)
  return [...document.querySelectorAll('.explorer > :is(header, footer) > *')].map((element) => {
    const text = luminance(getComputedStyle(element).color)
    const contrast = (Math.max(text, background) + 0.05) / (Math.min(text, background) + 0.05)
    return { text: element.innerText, contrast }
  })
})()`
