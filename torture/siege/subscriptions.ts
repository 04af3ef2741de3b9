import type { WebSocket } from 'ws'
import type { AttackSession } from './attack-session.js'

// Attacks by subscriptions: memory per subscription, cost of an event, and leaks after the client disconnects

const productChanged = 'subscription { productChanged(ids: ["product_1"]) { id product { name stock } } }'

/** The maximum number of equal subscriptions per connection, on the maximum number of connections */
export async function equalSubscriptions(session: AttackSession): Promise<void> {
  await session.runWorkers(100, async () => {
    const socket = await session.webSocket()
    for (let id = 0; id < 100; id += 1) subscribe(socket, `${id}`, productChanged)
    await closed(session, socket)
  })
}

/** Messages of the maximum length, each with a different document */
export async function paddedSubscriptions(session: AttackSession): Promise<void> {
  await session.runWorkers(4, async () => {
    const socket = await session.webSocket()
    for (let id = 0; id < 100; id += 1)
      subscribe(
        socket,
        `${id}${'i'.repeat(session.random.between(1, 300))}`,
        `#${session.random.next()}${'x'.repeat(60_000)}\n${productChanged}`,
      )
    await closed(session, socket)
  })
}

/** Frames that are cheap to send */
export async function frameFlood(session: AttackSession): Promise<void> {
  const { random } = session
  await session.runWorkers(8, async () => {
    const socket = await session.webSocket()
    const kind = random.pick(['ping', 'pong', 'message', 'subscribe'] as const)
    while (session.isRunning && socket.readyState === socket.OPEN) {
      for (let count = 0; count < 500 && socket.readyState === socket.OPEN; count += 1) {
        if (kind === 'ping') socket.ping('x'.repeat(100))
        else if (kind === 'pong') socket.pong()
        else if (kind === 'message') socket.send('{"type":"ping"}')
        else {
          subscribe(socket, '1', productChanged)
          socket.send('{"id":"1","type":"complete"}')
        }
      }
      await session.wait(5)
    }
  })
}

/** Connections that are opened and closed, some with invalid messages */
export async function socketChurn(session: AttackSession): Promise<void> {
  const { random } = session
  await session.runWorkers(32, async () => {
    const socket = await session.webSocket()
    const messages = [
      'nonsense',
      '{"type":"subscribe","id":"1"}',
      '{"type":"connection_init"}',
      '{"id":1}',
      '{"type":"next","id":"1"}',
    ]
    if (random.chance(0.7)) socket.send(random.pick(messages))
    else subscribe(socket, '1', random.chance(0.5) ? productChanged : '{ __typename }')
    await session.wait(random.between(0, 50))
    socket.terminate()
  })
}

/** 101 pipelined subscriptions, or queries mixed with subscriptions, on a connection that is closed before they are answered */
export async function pipelinedStreams(session: AttackSession): Promise<void> {
  const { random } = session
  const path = `/graphql/stream?query=${encodeURIComponent(productChanged)}`
  const body = '{"query":"{ products(first: 50) { nodes { id name } } }"}'
  const stream = `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`
  const query = `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  await session.runWorkers(110, async () => {
    const socket = await session.open()
    socket.resume().write(random.chance(0.7) ? stream.repeat(101) : `${query}${stream}`.repeat(50))
    await session.wait(random.between(0, 500))
    socket.destroy()
  })
}

function subscribe(socket: WebSocket, id: string, query: string): void {
  socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query } }))
}

async function closed(session: AttackSession, socket: WebSocket): Promise<void> {
  while (session.isRunning && socket.readyState === socket.OPEN) await session.wait(100)
}
