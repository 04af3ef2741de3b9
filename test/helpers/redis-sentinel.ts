import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { inject } from 'vitest'
import type { RedisTarget } from '../../packages/cached-resolvers/src/redis/redis-clients.js'
import { freePort } from '../../tools/free-port.js'
import { startRedis, type TestRedis } from './redis.js'
import { until } from './until.js'

/** A real master with a replica, monitored by three sentinels. The servers have a user "shop" with the password "secret". */
export interface TestSentinels {
  target: RedisTarget & { kind: 'sentinel' }
  master: TestRedis
  /** Becomes the master some seconds after the master ended or hung. */
  replica: TestRedis
  /** Whether the majority of the sentinels report that it is the master */
  isMaster(server: TestRedis): Promise<boolean>
  /** Starts a manual failover to the replica. */
  failOver(): Promise<void>
  killSentinels(): Promise<void>
  /** Stops the processes: they do not answer but keep their connections. */
  freezeSentinels(): void
  thawSentinels(): void
  /** Starts them again with their saved state. */
  startSentinels(): Promise<void>
  stop(): Promise<void>
}

interface Sentinel {
  port: number
  client: Redis
  start(): void
  signal(name: NodeJS.Signals): void
  kill(): Promise<void>
}

const masterName = 'shop-master'

export async function startSentinels(): Promise<TestSentinels> {
  const folder = await mkdtemp(join(tmpdir(), 'shop-sentinel-'))
  const options = ['--repl-diskless-sync-delay', '0', '--user', 'shop', 'on', '>secret', '~*', '&*', '+@all']
  const master = await startRedis(...options)
  const replica = await startRedis(...options, '--replicaof', '127.0.0.1', portOf(master))
  await until(async () => (await replica.client.info('replication')).includes('master_link_status:up'))
  const sentinels = await Promise.all([1, 2, 3].map(() => createSentinel(folder, portOf(master))))
  const namesAsMaster = async ({ client }: Sentinel, server: TestRedis) => {
    const answer = await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName)
    return (answer as string[])[1] === portOf(server)
  }
  const start = async () => {
    for (const sentinel of sentinels) sentinel.start()
    await until(async () => (await Promise.all(sentinels.map(knowsAll))).every(Boolean))
  }
  const signalAll = (name: NodeJS.Signals) => {
    for (const sentinel of sentinels) sentinel.signal(name)
  }
  const killAll = async () => void (await Promise.all(sentinels.map((sentinel) => sentinel.kill())))
  await start()
  const urls = sentinels.map(({ port }) => `redis://127.0.0.1:${port}`) as [string, ...string[]]
  return {
    target: { kind: 'sentinel', urls, masterName },
    master,
    replica,
    async isMaster(server) {
      const answers = await Promise.all(sentinels.map((sentinel) => namesAsMaster(sentinel, server)))
      return answers.filter(Boolean).length >= 2
    },
    failOver: async () => void (await sentinels[0]?.client.call('SENTINEL', 'FAILOVER', masterName)),
    killSentinels: killAll,
    freezeSentinels: () => signalAll('SIGSTOP'),
    thawSentinels: () => signalAll('SIGCONT'),
    startSentinels: start,
    async stop() {
      for (const { client } of sentinels) client.disconnect()
      await killAll()
      await Promise.all([master.stop(), replica.stop()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function createSentinel(folder: string, masterPort: string): Promise<Sentinel> {
  const port = await freePort()
  const configuration = join(folder, `sentinel-${port}.conf`)
  await writeFile(
    configuration,
    [
      ...[`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`],
      `sentinel monitor ${masterName} 127.0.0.1 ${masterPort} 2`,
      `sentinel down-after-milliseconds ${masterName} 2000`,
      `sentinel failover-timeout ${masterName} 2000`,
    ].join('\n'),
  )
  const client = new Redis(port, { lazyConnect: true, retryStrategy: () => 20, maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  let server: ChildProcess
  return {
    port,
    client,
    start() {
      server = spawn(inject('redisServer') ?? 'redis-server', [configuration, '--sentinel'], { stdio: 'ignore' })
    },
    signal: (name) => void server.kill(name),
    async kill() {
      if (server.exitCode !== null || server.signalCode !== null) return
      const exited = once(server, 'exit')
      server.kill('SIGKILL')
      await exited
    },
  }
}

/** Whether the sentinel knows the replica and the other two sentinels, without which a failover is not possible */
async function knowsAll({ client }: Sentinel): Promise<boolean> {
  const words = (await client.call('SENTINEL', 'MASTER', masterName)) as string[]
  const field = (name: string) => words[words.indexOf(name) + 1]
  return field('flags') === 'master' && field('num-slaves') === '1' && field('num-other-sentinels') === '2'
}

function portOf({ url }: TestRedis): string {
  return new URL(url).port
}
