import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { usedHeapMegabytes } from '../../packages/cached-resolvers/test/compiled-queries/heap.js'
import { startTestApp } from '../helpers/app.js'
import { openSocket, socketUrl } from '../helpers/live.js'
import { readMetrics, sumOf } from '../helpers/prometheus.js'
import { until } from '../helpers/until.js'

/** More with LIVE_CONNECTS=10000 */
const connects = Number(process.env.LIVE_CONNECTS ?? 1_000)

test('clients that disconnect, cleanly or not, leave nothing behind', async () => {
  const app = await startTestApp({ env: { LIVE_MAX_CONNECTIONS: '60' } })
  const query = 'subscription { productChanged(ids: ["product_1", "product_2"]) { id } }'

  async function overSocket(index: number): Promise<void> {
    const socket = new WebSocket(socketUrl(app), 'graphql-transport-ws')
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.on('error', () => undefined)
    socket.once('open', () => socket.send('{"type":"connection_init"}'))
    socket.once('message', () => {
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))
      if (index % 3 === 0) socket.terminate()
      else if (index % 3 === 1) socket.close()
      else socket.once('pong', () => socket.terminate()).ping()
    })
    await closed
  }

  async function overStream(): Promise<void> {
    const abort = new AbortController()
    const response = await fetch(`${app.origin}/graphql/stream?query=${encodeURIComponent(query)}`, { signal: abort.signal })
    if (response.status === 200) await response.body?.getReader().read()
    abort.abort()
  }

  async function comeAndGo(count: number): Promise<void> {
    for (let index = 0; index < count; index += 20) {
      await Promise.all(
        Array.from({ length: 20 }, (_, offset) => ((index + offset) % 4 === 0 ? overStream() : overSocket(index + offset))),
      )
    }
    // All connections are released.
    await until(async () => {
      const sockets = await Promise.all(Array.from({ length: 60 }, () => openSocket(app)))
      const areAllIn = sockets.every(({ closed }) => closed === undefined)
      for (const { socket } of sockets) socket.terminate()
      return areAllIn
    })
  }

  await comeAndGo(400)
  const before = usedHeapMegabytes()
  await comeAndGo(connects)
  const grownMb = usedHeapMegabytes() - before
  process.stdout.write(`heap after ${connects} more connections: ${grownMb.toFixed(1)} MB more\n`)
  expect(grownMb).toBeLessThan(4)
  await until(async () => {
    const samples = await readMetrics(app.origin)
    return sumOf(samples, 'graphql_subscriptions_open') + sumOf(samples, 'graphql_subscription_connections') === 0
  })
  await app.stop()
}, 300_000)
