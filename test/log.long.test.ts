import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../tools/free-port.js'
import { type BuiltServer, startBuiltServer, waitUntilReady } from './helpers/built.js'
import { startCollector } from './helpers/collector.js'
import { createDatabase, type TestDatabase } from './helpers/database.js'
import { noRedis, startRedis, type TestRedis } from './helpers/redis.js'
import { until } from './helpers/until.js'

function linesOf({ output }: BuiltServer): Record<string, unknown>[] {
  return output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
}

function requestLines(built: BuiltServer) {
  return linesOf(built).filter(({ msg }) => msg === 'request' || msg === 'slow request')
}

function post(url: string, body: string, headers: Record<string, string> = {}) {
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })
}

const ask = (url: string, query: string, variables?: object, headers?: Record<string, string>) =>
  post(url, JSON.stringify({ query, variables }), headers)

describe('request log lines', () => {
  let database: TestDatabase
  let built: BuiltServer
  beforeEach(async () => {
    database = await createDatabase()
  })
  afterEach(async () => {
    built.child.kill('SIGTERM')
    await built.exited
    await database.drop()
  })
  const start = (env: Record<string, string> = {}) => {
    built = startBuiltServer({ DATABASE_URL: database.url, AUDIT_INTERVAL_MS: '0', ...env })
    return waitUntilReady(built)
  }

  test('with LOG_REQUESTS=all, every request has one with its trace id, on the fast path too', async () => {
    const collector = await startCollector()
    const url = await start({ LOG_REQUESTS: 'all', OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
    const traceOf = (time: number) => `${time}af7651916cd43dd8448eb211c80319c`
    const flags = ['01', '01', '01', '01', '00', '00']
    const answers = []
    for (const [time, flag] of flags.entries()) {
      const traceparent = `00-${traceOf(time)}-b7ad6b7169203331-${flag}`
      answers.push(await ask(url, 'query Logged { product(id: "product_1") { name } }', undefined, { traceparent }))
    }
    await until(() => requestLines(built).length === flags.length)
    expect(requestLines(built).map(({ requestId }) => requestId)).toEqual(
      answers.map(({ headers }) => headers.get('x-request-id')),
    )
    expect(requestLines(built).map(({ path }) => path)).toEqual([
      'standard',
      'standard',
      'compiled',
      'compiled',
      'compiled',
      'compiled',
    ])
    expect(requestLines(built).map((line) => line.trace_id)).toEqual([...[0, 1, 2, 3].map(traceOf), undefined, undefined])
    for (const line of requestLines(built))
      expect(line).toMatchObject({ operation: 'Logged', outcome: 'ok', status: 200, cost: 3 })
    expect(requestLines(built)[3]?.durationMs).toBeGreaterThan(0)
    await collector.stop()
  })

  test('by default, only requests with errors have one, with the error codes', async () => {
    const url = await start({ LOG_SLOW_REQUEST_MS: '600000' })
    for (let times = 0; times < 5; times += 1) await ask(url, '{ __typename }')
    await ask(
      url,
      `query ${'Long'.repeat(50)} { a: products(first: 1000) { totalCount } b: products(first: 1001) { totalCount } }`,
    )
    await ask(url, '{ nothing }')
    await post(url, 'not json')
    await until(() => requestLines(built).length === 3)
    expect(requestLines(built).map(({ outcome, status, codes }) => ({ outcome, status, codes }))).toEqual([
      { outcome: 'errors', status: 200, codes: ['BAD_USER_INPUT'] },
      { outcome: 'refused', status: 400, codes: ['GRAPHQL_VALIDATION_FAILED'] },
      { outcome: 'refused', status: 400, codes: ['BAD_REQUEST'] },
    ])
    expect(requestLines(built)[0]?.operation).toBe('Long'.repeat(16))
    expect(requestLines(built).map(({ cost }) => cost)).toEqual([expect.any(Number), undefined, undefined])
  })

  test('are limited per second; the next line reports how many were omitted', async () => {
    const url = await start()
    const bad = () => post(url, 'not json', { authorization: 'Bearer bad' })
    const startedAt = performance.now()
    let sent = 0
    await until(async () => {
      await Promise.all(Array.from({ length: 50 }, bad))
      sent += 50
      return requestLines(built).some(({ omitted }) => omitted !== undefined)
    })
    const lines = requestLines(built)
    expect(lines.length).toBeLessThanOrEqual(101 + ((performance.now() - startedAt) / 1_000) * 10)
    const counted = lines.reduce((sum, { omitted }) => sum + 1 + Number(omitted ?? 0), 0)
    expect(counted).toBeGreaterThan(lines.length)
    expect(counted).toBeLessThanOrEqual(sent)
  })

  test('by default, slow requests have one too, as a warning', async () => {
    const url = await start({ LOG_SLOW_REQUEST_MS: '50' })
    const startedAt = performance.now()
    const locker = await database.sql.reserve()
    await locker`begin`
    await locker`lock table products`
    const answer = ask(url, 'query Slow { product(id: "product_1") { name } }')
    await until(() => performance.now() - startedAt > 500)
    await locker`commit`
    locker.release()
    await answer
    await until(() => requestLines(built).some(({ operation }) => operation === 'Slow'))
    const slow = requestLines(built).find(({ operation }) => operation === 'Slow')
    expect(slow).toMatchObject({ level: 40, msg: 'slow request', outcome: 'ok' })
  })

  test('with LOG_REQUESTS=none, not even failed or slow requests have one', async () => {
    const url = await start({ LOG_REQUESTS: 'none', LOG_SLOW_REQUEST_MS: '1' })
    await ask(url, '{ nothing }')
    await ask(url, '{ product(id: "product_1") { name } }')
    built.child.kill('SIGTERM')
    await built.exited
    expect(requestLines(built)).toEqual([])
  })
})

describe.skipIf(noRedis)('the log of an outage of Redis', () => {
  let redis: TestRedis
  let database: TestDatabase
  beforeAll(async () => {
    ;[redis, database] = await Promise.all([startRedis(), createDatabase()])
  })
  afterAll(() => Promise.all([redis.stop(), database.drop()]))

  /** The lines about the cache; the only other warning is that there is no authentication */
  const linesAboutCache = (built: BuiltServer) => linesOf(built).filter(({ msg }) => /cache|redis/i.test(String(msg)))
  const consequence = 'Until it can be used, values come from the database. Will keep trying'
  const start = (url: string) => startBuiltServer({ DATABASE_URL: database.url, REDIS_URL: url })

  test('is one warning at the start, with the setting, the reason and what follows', async () => {
    await redis.client.config('SET', 'requirepass', 'right-password')
    const servers = Object.entries({
      [`redis://127.0.0.1:${await freePort()}`]: /connect ECONNREFUSED/,
      [redis.url.replace('//', '//:wrong-password@')]: /WRONGPASS/,
      [redis.url]: /NOAUTH: the server requires a password, and the URL has none/,
      [redis.url.replace('redis:', 'rediss:')]: /; if the server does not use TLS, the URL must begin with redis:\/\//,
      'redis://unknown.invalid:6379': /getaddrinfo E\w+ unknown.invalid/,
    }).map(([url, reason]) => ({ reason, built: start(url) }))
    for (const { built, reason } of servers) {
      const url = await waitUntilReady(built)
      const answer = await (await ask(url, '{ product(id: "product_1") { id } }')).json()
      expect(answer).toEqual({ data: { product: { id: 'product_1' } } })
      built.child.kill('SIGTERM')
      await built.exited
      expect(linesAboutCache(built)).toEqual([
        expect.objectContaining({ level: 40, msg: expect.stringMatching(/^REDIS_URL: the cache is not used: .*/) }),
      ])
      expect(linesAboutCache(built)[0]?.msg).toMatch(reason)
      expect(linesAboutCache(built)[0]?.msg).toContain(consequence)
    }
    await redis.client.config('SET', 'requirepass', '')
  })

  test('is one warning while running, and one line when the cache is used again', async () => {
    const built = start(redis.url)
    const url = await waitUntilReady(built)
    await ask(url, '{ product(id: "product_1") { id } }')
    expect(linesAboutCache(built)).toEqual([])
    await redis.kill()
    await until(async () => {
      await ask(url, '{ product(id: "product_1") { id } }')
      return linesAboutCache(built).length > 0
    })
    await redis.start()
    await until(() => linesAboutCache(built).some(({ msg }) => msg === 'REDIS_URL: the cache is used again'))
    built.child.kill('SIGTERM')
    await built.exited
    expect(linesAboutCache(built).map(({ level }) => level)).toEqual([40, 30])
    expect(linesAboutCache(built)[0]?.msg).toContain(consequence)
  })
})

describe.skipIf(noRedis)('secrets', () => {
  let redis: TestRedis
  let database: TestDatabase
  let collector: Awaited<ReturnType<typeof startCollector>>
  beforeAll(async () => {
    ;[redis, database, collector] = await Promise.all([startRedis(), createDatabase(), startCollector()])
  })
  afterAll(() => Promise.all([redis.stop(), database.drop(), collector.stop()]))

  test('appear in no output after traffic, errors and outages with secrets in all inputs', async () => {
    const redisUrl = redis.url.replace('//', '//:redis-hunter2@')
    await redis.client.config('SET', 'requirepass', 'redis-hunter2')
    const built = startBuiltServer({
      ...{ REDIS_URL: redisUrl, DATABASE_URL: database.url, REDIS_HEALTH_INTERVAL_MS: '20', AUDIT_INTERVAL_MS: '20' },
      ...{ LOG_LEVEL: 'debug', LOG_REQUESTS: 'all', OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collector-hunter2',
    })
    const url = await waitUntilReady(built)
    const responses: string[] = []
    const health = async () =>
      (await (await fetch(new URL('/health', url))).json()) as { status: string; cache: { state: string } }
    const record = async (answer: Promise<Response>) => responses.push(await (await answer).text())

    const headers = { authorization: 'Bearer header-hunter2', cookie: 'session=header-hunter2', 'x-api-key': 'header-hunter2' }
    const rename = 'mutation Rename($name: String!) { updateUser(input: { id: "user_1", name: $name }) { user { id } } }'
    for (let times = 0; times < 4; times += 1)
      await ask(url, '{ user(id: "user_1") { name } }', { password: 'input-hunter2' }, headers)
    await ask(url, 'query ($password: Int!) { user(id: "user_1") { name } }', { password: 'input-hunter2' }, headers)
    await post(url, '{ "password": "input-hunter2" ', headers)
    await post(`${url}?password=input-hunter2&query={__typename}`, '{}', { ...headers, 'x-request-id': 'no id: header-hunter2' })

    await database.sql`alter table users rename to elsewhere`
    await record(ask(url, rename, { name: 'input-hunter2' }, headers))
    await until(() => /"level":50/.test(built.output()))
    await database.sql`alter table elsewhere rename to users`
    await database.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'graphql-cached-shop' and datname = current_database() and pid <> pg_backend_pid()`
    await record(ask(url, '{ user(id: "user_2") { name } }', undefined, headers))

    // Changes the password and closes all connections.
    await redis.client.config('SET', 'requirepass', 'other-password')
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await until(async () => (await health()).cache.state === 'down')
    await until(() => /WRONGPASS/.test(built.output()))
    await record(ask(url, '{ user(id: "user_3") { name } cacheInfo { available } }', undefined, headers))
    const metrics = await (await fetch(new URL('/metrics', url))).text()
    built.child.kill('SIGTERM')
    await built.exited

    const secrets = ['redis-hunter2', 'collector-hunter2', 'header-hunter2', 'input-hunter2', new URL(database.url).password]
    const spans = collector.requests.map(({ body }) => body)
    expect(spans.length).toBeGreaterThan(0)
    for (const secret of secrets.filter(({ length }) => length >= 6)) {
      for (const text of [built.output(), metrics, ...responses, ...spans]) expect(text).not.toContain(secret)
    }
  })

  test.each([
    ['DATABASE_URL', async () => `postgres://shop:start-hunter2@127.0.0.1:${await freePort()}/shop`],
    ['DATABASE_URL', async () => database.url.replace(/\/\/.*@/, '//nobody:start-hunter2@')],
  ])('do not appear in the output of a start that fails because of %s', async (name, url) => {
    const built = startBuiltServer({ [name]: await url(), LOG_LEVEL: 'debug' })
    await until(() => built.child.exitCode !== null)
    expect(built.child.exitCode).toBe(1)
    expect(built.output()).toContain(name)
    expect(built.output()).not.toContain('hunter2')
  })
})
