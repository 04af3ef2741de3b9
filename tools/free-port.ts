import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * For a server that cannot choose a port itself. Below the ports that systems give to outgoing connections (Linux from 32,768, others from
 * 49,152), so that none of these takes it before the server listens. The port 10,000 above is free as well: the bus of a Redis Cluster.
 */
export async function freePort(): Promise<number> {
  const port = randomInt(10_000, 22_000)
  return (await isFree(port)) && (await isFree(port + 10_000)) ? port : freePort()
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
