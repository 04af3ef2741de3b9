import { describe, expect, test } from 'vitest'
import { startBehindProxy } from '../helpers/behind-proxy.js'
import { until } from '../helpers/until.js'

describe('with a database host that disappeared without closing connections', () => {
  test('pending statements fail, and new connections answer again', async () => {
    const { app, proxy, stop } = await startBehindProxy({ DATABASE_TIMEOUT_MS: '2000' })
    await app.query('{ order(id: "order_1") { id } }')

    proxy.freeze()
    const cold = '{ order(id: "order_2") { id } }'
    expect((await app.query(cold)).errors?.[0]?.extensions.code).toBe('SERVICE_UNAVAILABLE')
    await until(async () => (await app.query(cold)).data.order?.id === 'order_2')
    await stop()
  })
})
