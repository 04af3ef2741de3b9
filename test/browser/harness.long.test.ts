import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { noBrowser, startBrowser, type TestBrowser } from '../helpers/browser.js'

describe.skipIf(noBrowser)('the test browser', () => {
  let app: TestApp
  let browser: TestBrowser
  beforeAll(async () => {
    ;[app, browser] = await Promise.all([startTestApp(), startBrowser()])
  })
  afterAll(async () => {
    await Promise.all([browser.stop(), app.stop()])
  })

  test('blocks and records requests to other servers', async () => {
    const { page, externalRequests } = await browser.open(`${app.origin}/health`, { bypassCSP: true })
    await page.evaluate('fetch("http://elsewhere.example/", { mode: "no-cors" }).catch(() => undefined)')
    expect(externalRequests).toEqual(['http://elsewhere.example/'])
  })

  test('an error in the console fails the test', { fails: true }, async () => {
    const { page } = await browser.open(`${app.origin}/health`, { bypassCSP: true })
    await page.evaluate('console.error("broken")')
  })

  test('a failed request to the own origin fails the test', { fails: true }, async () => {
    const { page } = await browser.open(`${app.origin}/health`, { bypassCSP: true })
    await page.evaluate('fetch("/nowhere")')
  })
})
