import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import process from 'node:process'

// A program of its own, so that a busy torture does not look like a slow Redis. It does not outlive its parent, which tells it by
// messages where each proxy leads.

export interface Redirection {
  /** Which of the proxies */
  index: number
  port: number
  /** Open connections end; otherwise they go on leading to where they led. */
  cut: boolean
}

interface Proxy {
  server: Server
  targetPort: number
  sockets: Set<Socket>
}

process.on('disconnect', () => process.exit())
const [count, firstPort] = process.argv.slice(2).map(Number) as [number, number]
const proxies = Array.from({ length: count }, () => startProxy(firstPort))
process.on('message', ({ index, port, cut }: Redirection) => {
  const proxy = proxies[index] as Proxy
  proxy.targetPort = port
  if (cut) for (const socket of proxy.sockets) socket.destroy()
})
await Promise.all(proxies.map(({ server }) => once(server, 'listening')))
process.send?.(proxies.map(({ server }) => (server.address() as AddressInfo).port))

function startProxy(firstPort: number): Proxy {
  const proxy: Proxy = { server: createServer(), targetPort: firstPort, sockets: new Set() }
  proxy.server.on('connection', (client) => {
    const target = connect(proxy.targetPort, '127.0.0.1')
    forward(proxy, client, target)
    forward(proxy, target, client)
  })
  proxy.server.listen(0, '127.0.0.1')
  return proxy
}

function forward({ sockets }: Proxy, from: Socket, to: Socket): void {
  sockets.add(from)
  from.setNoDelay(true).pipe(to)
  from.on('error', () => undefined)
  from.on('close', () => {
    sockets.delete(from)
    to.destroy()
  })
}
