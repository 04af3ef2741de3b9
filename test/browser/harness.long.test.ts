import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { noBrowser, startBrowser, type TestBrowser } from '../helpers/browser.js'

describe.skipIf(noBrowser)('the browser of the tests', () => {
  let app: TestApp
  let browser: TestBrowser
  beforeAll(async () => {
    ;[app, browser] = await Promise.all([startTestApp(), startBrowser()])
  })
  afterAll(async () => {
    await Promise.all([browser.stop(), app.stop()])
  })

  test('what is elsewhere is neither reached nor overlooked', async () => {
    const { page, askedElsewhere } = await browser.open(`${app.origin}/health`, { bypassCSP: true })
    await page.evaluate('fetch("http://elsewhere.example/", { mode: "no-cors" }).catch(() => undefined)')
    expect(askedElsewhere).toEqual(['http://elsewhere.example/'])
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
