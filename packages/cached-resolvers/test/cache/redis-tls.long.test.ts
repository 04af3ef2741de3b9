import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext, createServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import type { HealthReport } from '../../../../src/http/health/health.js'
import { type BuiltServer, query, startBuiltServer, waitUntilReady } from '../../../../test/helpers/built.js'
import { createAuthority, noOpenssl, type TestAuthority } from '../../../../test/helpers/certificates.js'
import { createDatabase, type TestDatabase } from '../../../../test/helpers/database.js'
import { noRedis, startRedis } from '../../../../test/helpers/redis.js'
import { startCluster, type TestCluster } from '../../../../test/helpers/redis-cluster.js'
import { until } from '../../../../test/helpers/until.js'
import { freePort } from '../../../../tools/free-port.js'

describe.skipIf(noRedis || noOpenssl)('Redis over TLS', () => {
  let authority: TestAuthority
  let database: TestDatabase
  let built: BuiltServer
  let url: string
  beforeAll(() => {
    authority = createAuthority()
  })
  beforeEach(async () => {
    database = await createDatabase()
  })
  afterEach(async () => {
    built.child.kill('SIGKILL')
    await built.exited
    await database.drop()
  })
  afterAll(() => authority.remove())

  async function run(env: Record<string, string>): Promise<void> {
    const trusting = { NODE_EXTRA_CA_CERTS: authority.certificate, DATABASE_URL: database.url, DATABASE_POOL: '2' }
    built = startBuiltServer({ ...trusting, REDIS_HEALTH_INTERVAL_MS: '100', AUDIT_INTERVAL_MS: '0', ...env })
    url = await waitUntilReady(built)
  }
  /** Rejects if the process has ended. */
  const health = async () => (await (await fetch(new URL('/health', url))).json()) as HealthReport
  const isHealthy = async () => (await health()).status === 'healthy'
  const reason = async () => {
    const { cache } = await health()
    return cache.state === 'down' ? cache.reason : ''
  }

  test('a cluster whose certificate is for a host name, while its nodes announce IP addresses', async () => {
    const cluster = await startCluster(authority.issue(['DNS:localhost']))
    await run({ REDIS_CLUSTER_NODES: namedLocalhost(cluster) })
    await until(isHealthy)
    await cluster.stop()
  })

  test('a cluster whose nodes announce host names', async () => {
    const names = { 'cluster-announce-hostname': 'localhost', 'cluster-preferred-endpoint-type': 'hostname' }
    const cluster = await startCluster(authority.issue(['DNS:localhost']), names)
    await run({ REDIS_CLUSTER_NODES: namedLocalhost(cluster) })
    await until(isHealthy)
    await cluster.stop()
  })

  test('a cluster whose certificate expires, or is for another host: the API answers without it, reports the reason, and does not exit', async () => {
    const right = authority.issue(['DNS:localhost'])
    const cluster = await startCluster(right)
    await run({ REDIS_CLUSTER_NODES: namedLocalhost(cluster) })
    await until(isHealthy)
    for (const [wrong, reasonPattern] of [
      [authority.issue(['DNS:localhost'], { expired: true }), /certificate has expired/],
      [authority.issue(['DNS:other.example']), /localhost.* is not in the cert's altnames: DNS:other.example/],
    ] as const) {
      await cluster.replaceCertificate(wrong)
      await until(async () => reasonPattern.test(await reason()))
      expect((await query(url, '{ product(id: "product_1") { id } }')).data.product.id).toBe('product_1')
      const line = new RegExp(`"level":40.*the cache is not used: .*${reasonPattern.source}`)
      await until(() => line.test(built.output()))
      await cluster.replaceCertificate(right)
      await until(isHealthy)
    }
    await cluster.stop()
  })

  test('a sentinel that announces the IP address of the master, with certificates for a host name', async () => {
    const { certificate, key } = authority.issue(['DNS:localhost'])
    const settings = { 'tls-cert-file': certificate, 'tls-key-file': key, 'tls-ca-cert-file': authority.certificate }
    const tls = Object.entries({ ...settings, 'tls-auth-clients': 'no', 'tls-replication': 'yes' })
    const [serverPort, port, folder] = [await freePort(), await freePort(), await mkdtemp(join(tmpdir(), 'shop-sentinel-'))]
    const redis = await startRedis('--tls-port', String(serverPort), ...tls.flatMap(([name, value]) => [`--${name}`, value]))
    const configuration = join(folder, 'sentinel.conf')
    const lines = ['port 0', `tls-port ${port}`, `dir ${folder}`, ...tls.map((words) => words.join(' '))]
    await writeFile(configuration, [...lines, `sentinel monitor mymaster 127.0.0.1 ${serverPort} 1`].join('\n'))
    const sentinel = spawn(inject('redisServer') as string, [configuration, '--sentinel'], { stdio: 'ignore' })
    await run({ REDIS_SENTINEL_NODES: `rediss://localhost:${port}` })
    await until(isHealthy)
    sentinel.kill('SIGKILL')
    await once(sentinel, 'exit')
    await redis.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test('a server behind a proxy that routes by host name', async () => {
    const redis = await startRedis()
    const { certificate, key } = authority.issue(['DNS:localhost'])
    const context = createSecureContext({ cert: readFileSync(certificate), key: readFileSync(key) })
    const proxy = createServer({
      SNICallback: (name, done) => (name === 'localhost' ? done(null, context) : done(new Error(`No route to ${name}`))),
    })
    proxy.on('secureConnection', (socket) => {
      const upstream = connect(Number(new URL(redis.url).port), '127.0.0.1').on('error', () => socket.destroy())
      socket
        .on('error', () => upstream.destroy())
        .pipe(upstream)
        .pipe(socket)
    })
    await new Promise<void>((resolve) => void proxy.listen(0, resolve))
    await run({ REDIS_URL: `rediss://localhost:${(proxy.address() as AddressInfo).port}` })
    await until(isHealthy)
    await redis.stop()
    proxy.close()
  })
})

function namedLocalhost({ urls }: TestCluster): string {
  return urls.join().replaceAll('127.0.0.1', 'localhost')
}
