import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Finds a free port, for servers that cannot choose one themselves. It lies below the range of outgoing connections (Linux: from
 * 32,768, others: from 49,152), so that no such connection takes it before the server listens. Port + 10,000 is free as well, for
 * the bus of a Redis Cluster.
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
