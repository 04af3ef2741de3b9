import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { expect, inject, onTestFinished } from 'vitest'

/** For describe.skipIf */
export const noBrowser = inject('chromium') === null

export interface TestBrowser {
  /**
   * Opens a new page. The test fails on any console error and any failed request to the page's origin or an allowed one that does
   * not match `expected`.
   */
  open(url: string, options?: BrowserContextOptions, expected?: RegExp): Promise<TestPage>
  stop(): Promise<void>
}

interface TestPage {
  page: Page
  /** URLs of other origins that the page requested. They are blocked, because tests have no internet access. */
  externalRequests: readonly string[]
}

export const phone: BrowserContextOptions = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }
/** No test depends on the speed of the browser. */
const longTimeoutMs = 60_000

export const dark: BrowserContextOptions = { colorScheme: 'dark' }

/**
 * Starts a real Chromium with an empty profile that can only resolve this machine. Pages may also send requests to
 * `allowedOrigins`.
 */
export async function startBrowser(allowedOrigins: readonly string[] = []): Promise<TestBrowser> {
  const browser = await chromium.launch({
    ...{ executablePath: inject('chromium') as string, args: [...chromiumArguments], timeout: longTimeoutMs },
  })
  return {
    open: (url, options = {}, expected = /^$/) =>
      open(browser, { url, origins: [new URL(url).origin, ...allowedOrigins], options, expected }),
    stop: () => browser.close(),
  }
}

/** Saves a full-page screenshot as test-results/screenshots/NAME.png for manual review. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `test-results/screenshots/${name}.png`, fullPage: true })
}

/** Expects that the page does not scroll horizontally. */
export async function expectNoOverflow(page: Page): Promise<void> {
  const { scrollWidth, clientWidth } = await page.evaluate<{ scrollWidth: number; clientWidth: number }>(
    '({ scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth })',
  )
  expect(scrollWidth).toBeLessThanOrEqual(clientWidth)
}

interface Opening {
  url: string
  /** The origins to which the page may send requests */
  origins: readonly string[]
  options: BrowserContextOptions
  expected: RegExp
}

async function open(browser: Browser, { url, origins, options, expected }: Opening): Promise<TestPage> {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(longTimeoutMs)
  const page = await context.newPage()
  const isAllowed = (address: string) =>
    address === '' || origins.some((origin) => address.startsWith(`${origin}/`)) || /^(blob|data):/.test(address)
  const externalRequests: string[] = []
  const errors: string[] = []

  await context.route('**/*', (route) => {
    const address = route.request().url()
    if (isAllowed(address)) return route.continue()
    externalRequests.push(address)
    return route.abort('internetdisconnected')
  })
  page.on('pageerror', (error) => errors.push(error.stack || error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && isAllowed(message.location().url)) errors.push(message.text())
  })
  page.on('response', (response) => {
    if (response.status() >= 400) errors.push(`${response.status()} ${response.url()}`)
  })
  page.on('requestfailed', (request) => {
    // Requests in progress are aborted when the page is left.
    const cause = request.failure()?.errorText
    if (isAllowed(request.url()) && cause !== 'net::ERR_ABORTED') errors.push(`${cause} ${request.url()}`)
  })
  onTestFinished(async () => {
    const found = errors.filter((error) => !expected.test(error))
    await context.close()
    expect(found, 'errors in the browser').toEqual([])
  })
  await page.goto(url)
  return { page, externalRequests }
}

/** --no-sandbox, because the sandbox does not work as root; the pages are trusted. */
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
