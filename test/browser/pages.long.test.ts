import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { starterOperations } from '../../src/http/pages/starter-operations.js'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { dark, expectNoOverflow, noBrowser, phone, screenshot, startBrowser, type TestBrowser } from '../helpers/browser.js'
import { until } from '../helpers/until.js'

const sandboxEmbed = 'https://embeddable-sandbox.cdn.apollographql.com/v2/embeddable-sandbox.umd.production.min.js'

describe.skipIf(noBrowser)('the pages', () => {
  let app: TestApp
  let browser: TestBrowser
  beforeAll(async () => {
    ;[app, browser] = await Promise.all([startTestApp(), startBrowser()])
  })
  afterAll(async () => {
    await Promise.all([browser.stop(), app.stop()])
  })

  test.each([
    ['landing', {}],
    ['landing-dark', dark],
    ['landing-phone', phone],
    ['landing-phone-dark-without-javascript', { ...phone, ...dark, javaScriptEnabled: false }],
  ])('the landing page fits the viewport and sends no requests to other servers: %s', async (name, options) => {
    const { page, externalRequests } = await browser.open(app.origin, options)
    await page.getByText('healthy').waitFor()
    await screenshot(page, name)
    if (options.javaScriptEnabled !== false) await expectNoOverflow(page)
    expect(externalRequests).toEqual([])
  })

  test('Tab reaches every link of the landing page, in document order', async () => {
    const { page } = await browser.open(app.origin)
    const links = await page.evaluate<string[]>("[...document.querySelectorAll('a')].map((link) => link.href)")
    expect(links.length).toBeGreaterThan(3)
    for (const link of links) {
      await page.keyboard.press('Tab')
      expect(await page.evaluate('document.activeElement.href')).toBe(link)
    }
  })

  test('the focused element has a visible outline', async () => {
    const { page } = await browser.open(app.origin)
    await page.keyboard.press('Tab')
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
  })

  test.each([
    ['sandbox-offline', {}],
    ['sandbox-offline-phone-dark', { ...phone, ...dark }],
  ])('if Apollo cannot be reached, Sandbox reports it and links to GraphiQL: %s', async (name, options) => {
    const { page, externalRequests } = await browser.open(`${app.origin}/graphql`, options)
    await page.getByText('Apollo Sandbox could not be loaded').waitFor()
    await screenshot(page, name)
    await expectNoOverflow(page)
    expect(externalRequests).toEqual([sandboxEmbed])
    await page.getByRole('status').getByRole('link', { name: 'GraphiQL' }).click()
    await page.getByRole('button', { name: 'Execute query' }).waitFor()
  })

  test('while Apollo does not answer, Sandbox links to GraphiQL', async () => {
    const { page } = await browser.open(app.origin)
    await page.route(sandboxEmbed, () => undefined)
    await page.goto(`${app.origin}/graphql`, { waitUntil: 'commit' })
    await page.getByText('Loading Apollo Sandbox').waitFor()
    await page.getByRole('link', { name: 'GraphiQL' }).click()
    await page.getByRole('button', { name: 'Execute query' }).waitFor()
  })

  test('the Content-Security-Policy allows the frame of Sandbox, and no other', async () => {
    const { page, externalRequests } = await browser.open(app.origin)
    const frames = ['https://sandbox.embed.apollographql.com/sandbox/explorer', 'https://elsewhere.example/']
    const embed = `
      window.refused = []
      addEventListener('securitypolicyviolation', ({ blockedURI }) => window.refused.push(blockedURI))
      for (const src of ${JSON.stringify(frames)}) document.body.append(Object.assign(document.createElement('iframe'), { src }))
      document.querySelector('iframe').setAttribute('style', 'height: 100%')
      window.EmbeddedSandbox = class {}`
    await page.route(sandboxEmbed, (route) => route.fulfill({ contentType: 'text/javascript', body: embed }))
    await page.goto(`${app.origin}/graphql`)
    await holds(page, 'window.refused?.length > 0')
    expect(await page.evaluate('window.refused')).toEqual([frames[1]?.replace(/\/$/, '')])
    expect(externalRequests).toEqual([frames[0]])
  })

  test('if Apollo can be reached, Sandbox gets all starter operations, and does not poll', async () => {
    const { page } = await browser.open(app.origin)
    const embed = 'window.EmbeddedSandbox = class { constructor(options) { window.sandboxOptions = options } }'
    await page.route(sandboxEmbed, (route) => route.fulfill({ contentType: 'text/javascript', body: embed }))
    await page.goto(`${app.origin}/graphql`)
    await holds(page, 'window.sandboxOptions')
    const { initialEndpoint, initialState } = await page.evaluate<{
      initialEndpoint: string
      initialState: { document: string; pollForSchemaUpdates: boolean }
    }>('window.sandboxOptions')
    expect(initialEndpoint).toBe(`${app.origin}/graphql`)
    for (const { document } of starterOperations) expect(initialState.document).toContain(document)
    expect(initialState.pollForSchemaUpdates).toBe(false)
  })
})

/** Instead of Page.waitForFunction, which evaluates strings inside the page: the Content-Security-Policy forbids that. */
async function holds(page: Page, expression: string): Promise<void> {
  await until(() => page.evaluate<boolean>(`Boolean(${expression})`))
}
