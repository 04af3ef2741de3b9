import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { noBrowser, startBrowser, type TestBrowser } from '../helpers/browser.js'
import { until } from '../helpers/until.js'

const query = 'subscription { productChanged(ids: ["product_1"]) { product { stock } } }'

describe.skipIf(noBrowser)('a page of the server in a browser', () => {
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

  /** Runs the script in the page, where it pushes received events to `received`, and changes the stock until an event arrives. */
  async function expectEvents(script: string): Promise<void> {
    const { page } = await browser.open(app.origin)
    await page.evaluate(`globalThis.received = []; ${script}; undefined`)
    let stock = 0
    await until(async () => {
      stock += 1
      await app.database.sql`update products set stock = ${stock} where id = 1`
      return (await page.evaluate<number>('received.length')) > 0
    })
    expect(await page.evaluate('received[0]')).toMatchObject({
      data: { productChanged: { product: { stock: expect.any(Number) } } },
    })
  }

  test('receives changes with EventSource', () =>
    expectEvents(`new EventSource('/graphql/stream?query=' + encodeURIComponent(${JSON.stringify(query)}))
      .addEventListener('next', ({ data }) => received.push(JSON.parse(data)))`))

  test('receives changes with WebSocket', () =>
    expectEvents(`const socket = new WebSocket('/graphql', 'graphql-transport-ws')
      socket.onopen = () => socket.send('{"type":"connection_init"}')
      socket.onmessage = ({ data }) => {
        const { type, payload } = JSON.parse(data)
        if (type === 'connection_ack') socket.send(${JSON.stringify(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))})
        if (type === 'next') received.push(payload)
      }`))
})
