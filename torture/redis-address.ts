import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import process from 'node:process'
import type { Redirection } from './redis-proxies.js'
import type { RedisServer } from './redis-server.js'

/** The address by which an API process knows its Redis, and which may come to lead to another server. */
export class RedisAddress {
  constructor(
    private readonly port: number,
    private server: RedisServer,
    private readonly redirect: (port: number, cut: boolean) => void,
  ) {}

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Where new connections lead */
  get leadsTo(): RedisServer {
    return this.server
  }

  leadTo(server: RedisServer, { cut }: { cut: boolean }): void {
    this.server = server
    this.redirect(server.port, cut)
  }
}

/** As many addresses as asked for, all of which lead to this server. */
export async function openAddresses(
  entry: string,
  count: number,
  server: RedisServer,
): Promise<{ addresses: RedisAddress[]; close: () => Promise<void> }> {
  const proxies = spawn(process.execPath, [entry, String(count), String(server.port)], {
    cwd: tmpdir(),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [ports] = await once(proxies, 'message')
  return {
    addresses: (ports as number[]).map(
      (port, index) => new RedisAddress(port, server, (port, cut) => send(proxies, { index, port, cut })),
    ),
    async close() {
      const exited = once(proxies, 'exit')
      proxies.kill()
      await exited
    },
  }
}

function send(proxies: ChildProcess, redirection: Redirection): void {
  proxies.send(redirection)
}
