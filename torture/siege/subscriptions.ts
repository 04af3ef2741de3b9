import type { WebSocket } from 'ws'
import type { Arena } from './arena.js'

// Subscriptions: what is kept for each, what an event costs, and what is left when their client is gone

const productChanged = 'subscription { productChanged(ids: ["product_1"]) { id product { name stock } } }'

/** Equal subscriptions, as many as a connection may have, on as many connections as there may be */
export async function equalSubscriptions(arena: Arena): Promise<void> {
  await arena.many(100, async () => {
    const socket = await arena.webSocket()
    for (let id = 0; id < 100; id += 1) subscribe(socket, `${id}`, productChanged)
    await closed(arena, socket)
  })
}

/** The longest messages that are taken, each with another document */
export async function paddedSubscriptions(arena: Arena): Promise<void> {
  await arena.many(4, async () => {
    const socket = await arena.webSocket()
    for (let id = 0; id < 100; id += 1)
      subscribe(
        socket,
        `${id}${'i'.repeat(arena.random.between(1, 300))}`,
        `#${arena.random.next()}${'x'.repeat(60_000)}\n${productChanged}`,
      )
    await closed(arena, socket)
  })
}

/** Frames that cost nothing to send */
export async function frameFlood(arena: Arena): Promise<void> {
  const { random } = arena
  await arena.many(8, async () => {
    const socket = await arena.webSocket()
    const kind = random.pick(['ping', 'pong', 'message', 'subscribe'] as const)
    while (arena.goesOn && socket.readyState === socket.OPEN) {
      for (let count = 0; count < 500 && socket.readyState === socket.OPEN; count += 1) {
        if (kind === 'ping') socket.ping('x'.repeat(100))
        else if (kind === 'pong') socket.pong()
        else if (kind === 'message') socket.send('{"type":"ping"}')
        else {
          subscribe(socket, '1', productChanged)
          socket.send('{"id":"1","type":"complete"}')
        }
      }
      await arena.wait(5)
    }
  })
}

/** Connections that are made, acknowledged and dropped, some with wrong words */
export async function socketChurn(arena: Arena): Promise<void> {
  const { random } = arena
  await arena.many(32, async () => {
    const socket = await arena.webSocket()
    const words = [
      'nonsense',
      '{"type":"subscribe","id":"1"}',
      '{"type":"connection_init"}',
      '{"id":1}',
      '{"type":"next","id":"1"}',
    ]
    if (random.chance(0.7)) socket.send(random.pick(words))
    else subscribe(socket, '1', random.chance(0.5) ? productChanged : '{ __typename }')
    await arena.wait(random.between(0, 50))
    socket.terminate()
  })
}

/** A hundred and one subscriptions sent at once on a connection that is cut off before they are answered, or others in their place */
export async function pipelinedStreams(arena: Arena): Promise<void> {
  const { random } = arena
  const path = `/graphql/stream?query=${encodeURIComponent(productChanged)}`
  const body = '{"query":"{ products(first: 50) { nodes { id name } } }"}'
  const stream = `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`
  const query = `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  await arena.many(110, async () => {
    const socket = await arena.open()
    socket.resume().write(random.chance(0.7) ? stream.repeat(101) : `${query}${stream}`.repeat(50))
    await arena.wait(random.between(0, 500))
    socket.destroy()
  })
}

function subscribe(socket: WebSocket, id: string, query: string): void {
  socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query } }))
}

async function closed(arena: Arena, socket: WebSocket): Promise<void> {
  while (arena.goesOn && socket.readyState === socket.OPEN) await arena.wait(100)
}
