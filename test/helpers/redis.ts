import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { inject } from 'vitest'
import type { RedisStoreOptions } from '../../packages/cached-resolvers/src/redis/redis-store.js'
import { freePort } from '../../tools/free-port.js'

/** For describe.skipIf */
export const noRedis = inject('redisServer') === null

/** A real server on a separate port that a test can stop, freeze and restart */
export interface TestRedis {
  url: string
  /** A client separate from the ones under test. It retries while the server is down. */
  client: Redis
  /** Kills the server, like a crash. */
  kill(): Promise<void>
  /** Starts the server again on the same port, with the data of the last SAVE, if any. */
  start(): Promise<void>
  /** Stops the process: it does not answer but keeps its connections. */
  freeze(): void
  thaw(): void
  stop(): Promise<void>
}

export async function startRedis(...options: string[]): Promise<TestRedis> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'shop-redis-'))
  const client = new Redis(port, { lazyConnect: true, retryStrategy: () => 20, maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  let server: ChildProcess
  const start = async () => {
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder]
    server = spawn(inject('redisServer') ?? 'redis-server', [...settings, ...options], { stdio: 'ignore' })
    await rejectOnExit(server, client.ping())
  }
  const kill = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    client,
    start,
    kill,
    freeze: () => server.kill('SIGSTOP'),
    thaw: () => server.kill('SIGCONT'),
    async stop() {
      client.disconnect()
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** For a store of the engine's own tests */
export function redisOptions(url: string): RedisStoreOptions {
  return {
    ...{ target: { kind: 'server', url }, connections: 1, prefix: 'test' },
    ...{ commandTimeoutMs: 60_000, healthIntervalMs: 1000, log: () => {} },
  }
}

/** Rejects if the server ends before the work is done, since a client would wait forever. */
export function rejectOnExit<T>(server: ChildProcess, work: Promise<T>): Promise<T> {
  const ended = once(server, 'exit').then(([code]) => {
    throw new Error(`redis-server ended with exit code ${code}`)
  })
  return Promise.race([work, ended])
}
