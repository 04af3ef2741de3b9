import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { inject } from 'vitest'
import { freePort } from '../../tools/free-port.js'
import type { Certificate } from './certificates.js'
import { rejectOnExit } from './redis.js'
import { until } from './until.js'

/** A real cluster of three masters with one replica each */
export interface TestCluster {
  urls: [string, ...string[]]
  /** Kills the master of the slot of this key, like a crash. Its replica takes over within some seconds. */
  killMasterOf(key: string): Promise<void>
  /** Closes all client connections. New ones get this certificate. */
  replaceCertificate(certificate: Certificate): Promise<void>
  stop(): Promise<void>
}

interface Node {
  port: number
  server: ChildProcess
  client: Redis
  id: string
}

const masterCount = 3
const slotCount = 16_384

/** With a certificate, the nodes accept only TLS. `options` are options of redis-server. */
export async function startCluster(certificate?: Certificate, options: object = {}): Promise<TestCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'shop-cluster-'))
  const settings = { ...(certificate && tlsSettings(certificate)), ...options }
  const nodes = await Promise.all(Array.from({ length: 2 * masterCount }, () => startNode(folder, settings, certificate)))
  await form(nodes)
  const first = nodes[0] as Node
  return {
    urls: nodes.map(({ port }) => `${certificate ? 'rediss' : 'redis'}://127.0.0.1:${port}`) as [string, ...string[]],
    async killMasterOf(key) {
      const slot = await first.client.cluster('KEYSLOT', key)
      const ranges = (await first.client.cluster('SLOTS')) as unknown as [number, number, [string, number]][]
      const port = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][1]
      const master = nodes.find((node) => node.port === port)
      const exited = once(master?.server as ChildProcess, 'exit')
      master?.server.kill('SIGKILL')
      await exited
    },
    async replaceCertificate(replacement) {
      const settings = Object.entries(certificateSettings(replacement)).flat()
      for (const { client } of nodes) {
        await client.call('CONFIG', 'SET', ...settings)
        await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      }
    },
    async stop() {
      for (const { client, server } of nodes) {
        client.disconnect()
        server.kill('SIGKILL')
      }
      await Promise.all(nodes.map(({ server }) => server.exitCode ?? server.signalCode ?? once(server, 'exit')))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function startNode(folder: string, settings: object, certificate?: Certificate): Promise<Node> {
  const port = await freePort()
  const options = {
    ...(certificate ? { port: 0, 'tls-port': port } : { port }),
    ...{ bind: '127.0.0.1', save: '', appendonly: 'no', dir: folder },
    // Nodes forget another node whose handshake takes longer than this. The timeout is reduced once the cluster is formed.
    ...{ 'cluster-enabled': 'yes', 'cluster-config-file': `nodes-${port}.conf`, 'cluster-node-timeout': 15_000 },
    ...settings,
  }
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const server = spawn(inject('redisServer') ?? 'redis-server', words, { stdio: 'ignore' })
  const tls = certificate && { tls: { rejectUnauthorized: false } }
  const client = new Redis(port, { retryStrategy: () => 20, maxRetriesPerRequest: null, ...tls })
  client.on('error', () => undefined)
  return { port, server, client, id: await rejectOnExit(server, client.cluster('MYID')) }
}

function tlsSettings(certificate: Certificate) {
  const authority = { 'tls-ca-cert-file': certificate.authority }
  return {
    ...certificateSettings(certificate),
    ...authority,
    'tls-auth-clients': 'no',
    'tls-cluster': 'yes',
    'tls-replication': 'yes',
  }
}

function certificateSettings({ certificate, key }: Certificate) {
  return { 'tls-cert-file': certificate, 'tls-key-file': key }
}

async function form(nodes: readonly Node[]): Promise<void> {
  const masters = nodes.slice(0, masterCount)
  const replicas = nodes.slice(masterCount)
  await Promise.all(
    masters.map(({ client }, index) => {
      const from = Math.ceil((index * slotCount) / masterCount)
      const to = Math.ceil(((index + 1) * slotCount) / masterCount) - 1
      return client.call('CLUSTER', 'ADDSLOTSRANGE', from, to)
    }),
  )
  await Promise.all(nodes.map(({ client }, index) => client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)))
  for (const [index, { client }] of nodes.entries())
    await Promise.all(nodes.slice(0, index).map(({ port }) => client.call('CLUSTER', 'MEET', '127.0.0.1', port)))
  const everywhere = async (condition: (info: string) => boolean) =>
    (await Promise.all(nodes.map(({ client }) => client.cluster('INFO')))).every(condition)
  await until(() => everywhere((info) => info.includes(`cluster_known_nodes:${nodes.length}`)))
  for (const [index, { client }] of replicas.entries()) {
    const master = masters[index] as Node
    await until(async () => (await client.call('CLUSTER', 'REPLICATE', master.id).catch(() => null)) === 'OK')
  }
  await until(() => everywhere((info) => info.includes('cluster_state:ok')))
  const linked = async ({ client }: Node) => (await client.info('replication')).includes('master_link_status:up')
  await until(async () => (await Promise.all(replicas.map(linked))).every(Boolean))
  await Promise.all(nodes.map(({ client }) => client.config('SET', 'cluster-node-timeout', 2_000)))
}
