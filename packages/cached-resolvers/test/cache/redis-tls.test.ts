import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { createServer, type PeerCertificate } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { createAuthority, noOpenssl } from '../../../../test/helpers/certificates.js'
import { noRedis, redisOptions, startRedis } from '../../../../test/helpers/redis.js'
import { until } from '../../../../test/helpers/until.js'
import { freePort } from '../../../../tools/free-port.js'
import type { RedisTarget } from '../../src/redis/redis-clients.js'
import { identityOf } from '../../src/redis/redis-sockets.js'
import { RedisStore } from '../../src/redis/redis-store.js'

const targets: [string, (url: string) => RedisTarget][] = [
  ['a server', (url) => ({ kind: 'server', url })],
  ['a cluster', (url) => ({ kind: 'cluster', urls: [url] })],
  ['sentinels', (url) => ({ kind: 'sentinel', urls: [url], masterName: 'shop' })],
]

describe.each(targets)('TLS to %s', (_, targetAt) => {
  test('sends the configured host name (SNI), for proxies that route by it', async () => {
    const names = new Set<string>()
    const seen = (name: string, done: (error: Error) => void) => {
      names.add(name)
      done(new Error('This host is not served'))
    }
    const server = createServer({ SNICallback: seen }).on('tlsClientError', () => undefined)
    await once(server.listen(0), 'listening')
    const target = targetAt(`rediss://localhost:${(server.address() as AddressInfo).port}`)
    const store = new RedisStore({ ...redisOptions(''), target })
    await store.connect()
    await until(() => names.size > 0)
    await store.close()
    expect([...names]).toEqual(['localhost'])
    server.close()
    await once(server, 'close')
  })

  test.skipIf(noRedis || noOpenssl)('closing the store during a failing handshake raises no uncaught exception', async () => {
    const authority = createAuthority()
    const { certificate, key } = authority.issue(['DNS:localhost'])
    const port = String(await freePort())
    const redis = await startRedis(
      ...['--tls-port', port, '--tls-cert-file', certificate, '--tls-key-file', key],
      ...['--tls-ca-cert-file', authority.certificate, '--tls-auth-clients', 'no'],
    )
    const failures: unknown[] = []
    const fail = (error: Error) => failures.push(error)
    process.on('uncaughtException', fail)
    for (let time = 0; time < 30; time += 1) {
      const store = new RedisStore({ ...redisOptions(''), target: targetAt(`rediss://localhost:${port}`) })
      const connecting = store.connect()
      await setImmediate()
      await store.close()
      await connecting
    }
    // A socket emits its errors before it is closed.
    await until(async () => /connected_clients:1\r/.test(await redis.client.info('clients')))
    process.off('uncaughtException', fail)
    expect(failures).toEqual([])
    await redis.stop()
    authority.remove()
  })
})

test.each([
  ['a host name is used as the server name', 'cache.example', ['rediss://other.example'], { servername: 'cache.example' }],
  ['the trailing dot of a host name is removed', 'cache.example.', [], { servername: 'cache.example' }],
  [
    'for an IP address, a configured host name is used',
    '10.0.0.1',
    ['rediss://10.0.0.1', 'rediss://a.example', 'rediss://b.example'],
    { servername: 'a.example' },
  ],
  ['an IP address if no host name is configured', '10.0.0.1', ['rediss://[::1]:1'], {}],
])('%s', (_, host, urls, expected) => {
  expect(identityOf(host, urls)).toMatchObject(expected)
})

test('a server with an address may have a certificate for any of the configured names, or for its address, and for no other', () => {
  const { checkServerIdentity } = identityOf('10.0.0.1', ['rediss://a.example', 'rediss://b.example'])
  const check = (subjectaltname: string) => checkServerIdentity?.('a.example', { subject: {}, subjectaltname } as PeerCertificate)
  expect(['DNS:a.example', 'DNS:b.example', 'IP Address:10.0.0.1'].map(check)).toEqual([undefined, undefined, undefined])
  expect(check('DNS:c.example')?.message).toContain('a.example')
})
