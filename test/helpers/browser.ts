import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { expect, inject, onTestFinished } from 'vitest'

/** For describe.skipIf */
export const noBrowser = inject('chromium') === null

export interface TestBrowser {
  /** A page of its own for this test, which fails on any error in the console and on any failed request to the page's own origin, but the expected ones. */
  open(url: string, options?: BrowserContextOptions, expected?: RegExp): Promise<TestPage>
  stop(): Promise<void>
}

interface TestPage {
  page: Page
  /** Addresses elsewhere that the page asked for, and did not get: tests have no internet. */
  askedElsewhere: readonly string[]
}

export const phone: BrowserContextOptions = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }
/** No test is about how fast the browser is. */
const farMs = 60_000

export const dark: BrowserContextOptions = { colorScheme: 'dark' }

/** A real Chromium with an empty profile, which finds no host but this machine. */
export async function startBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({
    ...{ executablePath: inject('chromium') as string, args: [...chromiumArguments], timeout: farMs },
  })
  return { open: (url, options, expected) => open(browser, url, options, expected), stop: () => browser.close() }
}

/** For people to look at: test-results/screenshots/NAME.png, all of the page. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `test-results/screenshots/${name}.png`, fullPage: true })
}

/** Nothing stands out to the side, so that nobody has to scroll there. */
export async function expectNoOverflow(page: Page): Promise<void> {
  const { scrollWidth, clientWidth } = await page.evaluate<{ scrollWidth: number; clientWidth: number }>(
    '({ scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth })',
  )
  expect(scrollWidth).toBeLessThanOrEqual(clientWidth)
}

async function open(browser: Browser, url: string, options: BrowserContextOptions = {}, expected = /^$/): Promise<TestPage> {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(farMs)
  const page = await context.newPage()
  const { origin } = new URL(url)
  const isOurs = (address: string) => address === '' || address.startsWith(`${origin}/`) || /^(blob|data):/.test(address)
  const askedElsewhere: string[] = []
  const faults: string[] = []

  await context.route('**/*', (route) => {
    const address = route.request().url()
    if (isOurs(address)) return route.continue()
    askedElsewhere.push(address)
    return route.abort('internetdisconnected')
  })
  page.on('pageerror', (error) => faults.push(error.stack ?? error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && isOurs(message.location().url)) faults.push(message.text())
  })
  page.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`)
  })
  page.on('requestfailed', (request) => {
    // Aborted are those that a page did not wait for when it was left.
    const cause = request.failure()?.errorText
    if (isOurs(request.url()) && cause !== 'net::ERR_ABORTED') faults.push(`${cause} ${request.url()}`)
  })
  onTestFinished(async () => {
    const found = faults.filter((fault) => !expected.test(fault))
    await context.close()
    expect(found, 'errors in the browser').toEqual([])
  })
  await page.goto(url)
  return { page, askedElsewhere }
}

/** --no-sandbox: Chromium refuses to run as root with it, and these pages are our own. */
const chromiumArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
]
