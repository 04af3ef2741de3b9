import type { AttackSession } from './attack-session.js'

// Attacks by connections: idle ones, slow senders, slow readers, other protocols

/** As many connections as the server accepts, each idle after one request */
export async function idleConnections(session: AttackSession): Promise<void> {
  await session.runWorkers(1_000, async () => {
    const socket = await session.open()
    socket.resume().write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
    while (session.isRunning && !socket.destroyed) await session.wait(200)
  })
}

/** Half a request, or a request byte by byte */
export async function halfOpen(session: AttackSession): Promise<void> {
  const { random } = session
  const head = 'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500000\r\n'
  await session.runWorkers(200, async () => {
    const socket = await session.open()
    const part = random.pick(['', head, `${head}\r\n`, `${head}\r\n{"query":"${'x'.repeat(100_000)}`])
    socket.resume().write(part)
    if (random.chance(0.3)) socket.end()
    while (session.isRunning && !socket.destroyed) {
      await session.wait(random.between(100, 1_000))
      if (socket.writable) socket.write('x')
    }
  })
}

/** Requests long answers and does not read them. */
export async function slowReaders(session: AttackSession): Promise<void> {
  const body = JSON.stringify({ query: '{ products(first: 100) { nodes { id name price stock category } } }' })
  const one = `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  await session.runWorkers(50, async () => {
    const socket = await session.open()
    socket.pause().write(one.repeat(session.random.between(10, 200)))
    while (session.isRunning && !socket.destroyed) await session.wait(200)
  })
}

/** Sends what no client sends: other protocols, two lengths, upgrades after a request, too many headers. */
export async function otherProtocols(session: AttackSession): Promise<void> {
  const { random } = session
  const pending = `GET /graphql/stream?query=subscription%7BproductChanged(ids:%5B%22product_1%22%5D)%7Bid%7D%7D HTTP/1.1\r\nhost: x\r\n\r\n`
  const words = [
    () => `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\0'.repeat(1_000)}`,
    () => `\x16\x03\x01${'\x01'.repeat(500)}`,
    () =>
      `${pending}GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAA\r\n\r\n`,
    () =>
      `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nhost: x\r\n\r\n`,
    () =>
      `POST /graphql HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${`1;${'e'.repeat(1_000)}\r\nx\r\n`.repeat(100)}`,
    () => `GET / HTTP/1.1\r\nhost: x\r\n${`a${random.next()}: ${'x'.repeat(1_000)}\r\n`.repeat(random.between(1, 100))}\r\n`,
    () => `POST /graphql HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n`,
    () => `GET / HTTP/1.0\r\n\r\n`.repeat(50),
    () => 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(random.between(1, 500)),
  ]
  await session.runWorkers(32, async () => {
    const socket = await session.open()
    socket.resume().write(random.pick(words)(), 'latin1')
    await session.wait(random.between(0, 200))
    socket.destroy()
  })
}
