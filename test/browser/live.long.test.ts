import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { noBrowser, startBrowser, type TestBrowser } from '../helpers/browser.js'
import { until } from '../helpers/until.js'

const query = 'subscription { productChanged(ids: ["product_1"]) { product { stock } } }'

describe.skipIf(noBrowser)('in a browser, a page of the server', () => {
  let app: TestApp
  let browser: TestBrowser
  beforeAll(async () => {
    app = await startTestApp()
    browser = await startBrowser()
  })
  afterAll(async () => {
    await browser.stop()
    await app.stop()
  })

  /** Runs it in the page, where it pushes what it hears to `heard`, and changes the stock until it is heard of. */
  async function hears(script: string): Promise<void> {
    const { page } = await browser.open(app.origin)
    await page.evaluate(`globalThis.heard = []; ${script}; undefined`)
    let stock = 0
    await until(async () => {
      stock += 1
      await app.database.sql`update products set stock = ${stock} where id = 1`
      return (await page.evaluate<number>('heard.length')) > 0
    })
    expect(await page.evaluate('heard[0]')).toMatchObject({
      data: { productChanged: { product: { stock: expect.any(Number) } } },
    })
  }

  test('hears of changes with EventSource', () =>
    hears(`new EventSource('/graphql/stream?query=' + encodeURIComponent(${JSON.stringify(query)}))
      .addEventListener('next', ({ data }) => heard.push(JSON.parse(data)))`))

  test('hears of changes with WebSocket', () =>
    hears(`const socket = new WebSocket('/graphql', 'graphql-transport-ws')
      socket.onopen = () => socket.send('{"type":"connection_init"}')
      socket.onmessage = ({ data }) => {
        const { type, payload } = JSON.parse(data)
        if (type === 'connection_ack') socket.send(${JSON.stringify(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))})
        if (type === 'next') heard.push(payload)
      }`))
})
