import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { isReady } from '../served-process.js'

const pollMs = 50
/** Like the failure threshold of load balancers: one late answer on a busy machine must not remove the only ready process. */
const maxFailures = 3

export interface ReadyProxy {
  port: number
  stop(): Promise<void>
}

/**
 * Resolves when all processes are ready. Forwards each new connection to the next process whose last readiness probe succeeded,
 * like a Kubernetes Service: it does not parse requests, does not retry, and does not touch open connections.
 */
export async function startReadyProxy(ports: readonly number[]): Promise<ReadyProxy> {
  const ready = new Set<number>()
  const polling = new AbortController()
  const polls = ports.map((port) => poll(port, ready, polling.signal))
  while (ready.size < ports.length) await sleep(pollMs)
  const sockets = new Set<Socket>()
  let next = 0
  const server = createServer((client) => {
    const choices = ports.filter((port) => ready.has(port))
    const port = choices[next++ % choices.length]
    if (port === undefined) client.destroy()
    else join(client, dial(port, '127.0.0.1'), sockets)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      polling.abort()
      await Promise.all(polls)
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function poll(port: number, ready: Set<number>, signal: AbortSignal): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    failures = (await isReady(port)) ? 0 : failures + 1
    if (failures === 0) ready.add(port)
    if (failures === maxFailures) ready.delete(port)
    await sleep(pollMs, undefined, { signal }).catch(() => undefined)
  }
}

/** Pipes both directions. The end or an error of one side closes the other. */
function join(client: Socket, target: Socket, sockets: Set<Socket>): void {
  for (const [from, to] of [[client, target] as const, [target, client] as const]) {
    sockets.add(from)
    from.setNoDelay()
    from.pipe(to)
    from.on('error', () => to.destroy())
    from.on('close', () => {
      sockets.delete(from)
      to.destroySoon()
    })
  }
}
