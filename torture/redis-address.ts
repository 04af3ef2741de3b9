import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import process from 'node:process'
import type { DelayedConnections, Instruction } from './redis-proxies.js'
import type { RedisServer } from './redis-server.js'

/** The address of Redis for one API process. It can be pointed to another server. */
export class RedisAddress {
  constructor(
    private readonly index: number,
    private readonly port: number,
    private server: RedisServer,
    private readonly instruct: (instruction: Instruction) => void,
  ) {}

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** The server of new connections */
  get target(): RedisServer {
    return this.server
  }

  /** Points the address to another server. `cut`: closes open connections; otherwise they stay with their server. */
  pointTo(server: RedisServer, { cut }: { cut: boolean }): void {
    this.server = server
    this.instruct({ index: this.index, kind: 'route', port: server.port, cut })
  }

  /** Delays everything that arrives from Redis. */
  delay(forMs: number, connections: DelayedConnections): void {
    this.instruct({ index: this.index, kind: 'delay', forMs, connections })
  }
}

/** Opens `count` addresses that point to this server. */
export async function openAddresses(
  entry: string,
  count: number,
  server: RedisServer,
): Promise<{ addresses: RedisAddress[]; close: () => Promise<void> }> {
  const proxies = spawn(process.execPath, [entry, String(count), String(server.port)], {
    cwd: tmpdir(),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  // Ctrl+C in the terminal may have ended it before close().
  const exited = once(proxies, 'exit')
  const [ports] = await once(proxies, 'message')
  const instruct = (instruction: Instruction) => void proxies.send(instruction)
  return {
    addresses: (ports as number[]).map((port, index) => new RedisAddress(index, port, server, instruct)),
    async close() {
      proxies.kill()
      await exited
    },
  }
}
