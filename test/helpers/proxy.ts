import { once } from 'node:events'
import { createServer, connect as dial, type Socket } from 'node:net'

/** A TCP proxy that a test can cut, freeze and restore */
export interface TestProxy {
  port: number
  /** Ends all connections and refuses new ones. */
  cut(): void
  /** Stops forwarding on the open connections, like a host that vanished. New connections are not affected. */
  freeze(): void
  restore(): void
  /** Forwards new connections to another port. Open ones keep their target. */
  redirectTo(port: number): void
  stop(): Promise<void>
}

export async function startProxy(firstTarget: number): Promise<TestProxy> {
  const sockets = new Set<Socket>()
  let open = true
  let targetPort = firstTarget
  const server = createServer((client) => {
    if (!open) return client.destroy()
    const target = dial(targetPort, '127.0.0.1')
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      // biome-ignore format: a table
      sockets.add(from)
      from.pipe(to)
      from.on('error', () => undefined)
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
    return undefined
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    open = false
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as { port: number }).port,
    cut,
    freeze() {
      for (const socket of sockets) socket.unpipe().pause()
    },
    restore() {
      open = true
    },
    redirectTo(port) {
      targetPort = port
    },
    async stop() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
