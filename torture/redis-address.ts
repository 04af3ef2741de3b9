import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import process from 'node:process'
import type { Held, Instruction } from './redis-proxies.js'
import type { RedisServer } from './redis-server.js'

/** The address by which an API process knows its Redis, and which may come to lead to another server. */
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

  /** Where new connections lead */
  get leadsTo(): RedisServer {
    return this.server
  }

  /** Open connections end, or go on leading to where they led. */
  leadTo(server: RedisServer, { cut }: { cut: boolean }): void {
    this.server = server
    this.instruct({ index: this.index, to: 'lead', port: server.port, cut })
  }

  /** What comes from Redis is late by so much. */
  hold(forMs: number, only: Held): void {
    this.instruct({ index: this.index, to: 'hold', forMs, only })
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
  const instruct = (instruction: Instruction) => void proxies.send(instruction)
  return {
    addresses: (ports as number[]).map((port, index) => new RedisAddress(index, port, server, instruct)),
    async close() {
      const exited = once(proxies, 'exit')
      proxies.kill()
      await exited
    },
  }
}
