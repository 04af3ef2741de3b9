import { availableParallelism } from 'node:os'
import { describe, expect, test } from 'vitest'
import { ConfigError, ignoredSettings, readConfig, variableNames } from '../src/config.js'
import { truncate } from '../src/platform/truncate.js'

const defaults = {
  PORT: 4000,
  HOST: '127.0.0.1',
  WORKERS: 1,
  SHUTDOWN_DELAY_MS: 0,
  AUTH_OPEN: false,
  DATABASE_POOL: 10,
  DATABASE_TIMEOUT_MS: 5000,
  DATA_DIR: '.data',
  DEMO_DATA: true,
  REDIS_SENTINEL_MASTER: 'mymaster',
  REDIS_CONNECTIONS: 1,
  REDIS_TIMEOUT_MS: 250,
  REDIS_HEALTH_INTERVAL_MS: 1000,
  CACHE_PREFIX: 'ecommerce',
  CACHE_MEMORY_MB: 64,
  CACHE_NEAR_MB: 64,
  CACHE_NEAR_MAX_STALENESS_MS: 500,
  CACHE_MAX_FETCHES: 20,
  CACHE_MAX_WAITING_FETCHES: 500,
  REQUEST_TIMEOUT_MS: 10_000,
  RECEIVE_TIMEOUT_MS: 15_000,
  SEND_TIMEOUT_MS: 30_000,
  MAX_CONNECTIONS: 10_000,
  MAX_IN_FLIGHT: 1_000,
  MAX_EVENT_LOOP_DELAY_MS: 500,
  MAX_COST: 250,
  TRUSTED_PROXIES: 0,
  AUDIT_INTERVAL_MS: 10_000,
  TRUSTED_DOCUMENTS_ONLY: false,
  CORS_ORIGINS: ['https://studio.apollographql.com'],
  LIVE_MAX_CONNECTIONS: 10_000,
  LIVE_MAX_CONNECTIONS_PER_ADDRESS: 1000,
  LIVE_HEARTBEAT_MS: 15_000,
  LOG_LEVEL: 'info',
  LOG_REQUESTS: 'problems',
  LOG_SLOW_REQUEST_MS: 1000,
  OTEL_SERVICE_NAME: 'graphql-cached-shop',
  OTEL_TRACES_SAMPLER: 'parentbased_always_on',
  OTEL_TRACES_SAMPLER_ARG: 1,
}

const percentEncodingRule = 'must have %, #, ?, / and @ in its user and password percent-encoded: %25, %23, %3F, %2F, %40'
const redisParameterRule = 'must have no parameters but family and db'

/** The problems listed by the error */
function problems(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('the configuration', () => {
  test('needs no variable', () => {
    expect(readConfig({})).toEqual(defaults)
  })

  test('treats an empty variable as not set', () => {
    expect(readConfig(Object.fromEntries(variableNames.map((name) => [name, ''])))).toEqual(defaults)
    expect(readConfig({ PORT: undefined })).toEqual(defaults)
  })

  test('ignores variables of other programs', () => {
    expect(readConfig({ PATH: '/bin', NODE_OPTIONS: '--x', port: 'x' })).toEqual(defaults)
  })

  test.each([
    ['AUTH_JWT_SECERT', 'AUTH_JWT_SECRET'],
    ['AUTH_JWT_SECRETS', 'AUTH_JWT_SECRET'],
    ['AUTH-JWT-SECRET', 'AUTH_JWT_SECRET'],
    ['auth_jwt_secret', 'AUTH_JWT_SECRET'],
    ['\ufeffAUTH_JWT_SECRET', 'AUTH_JWT_SECRET'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['REDISURL', 'REDIS_URL'],
    ['RATELIMIT', 'RATE_LIMIT'],
  ])('reports that %s is a misspelling of %s', (name, intended) => {
    expect(problems({ [name]: 'hunter2', PORT: 'x' })).toEqual([
      `${name} is not a setting: write ${intended}, or leave it empty if it is for another program`,
      'PORT must be a whole number from 0 to 65535, not "x"',
    ])
    // If it is empty, or the correct variable is set too, it belongs to another program.
    expect(problems({ [name]: '' })).toEqual([])
    expect(problems({ [name]: 'x', [intended]: '' })).toHaveLength(1)
  })

  test('ignores variables of other programs with similar names', () => {
    const others = {
      DATABASE_URL_REPLICA: 'x',
      DATABASE_URL_2: 'x',
      REDIS_PORT: 'x',
      DATABASE_PORT: 'tcp://10.0.0.1:5432',
      HOSTNAME: 'x',
      SORT: 'x',
      OTEL_SERVICE_VERSION: 'x',
    }
    expect(readConfig(others)).toEqual(defaults)
    expect(problems({ DATABASE_URI: 'x', DATABASE_URL: 'postgres://a/b' })).toEqual([])
    for (const name of variableNames) expect(problems({ [`OTHER_${name}`]: 'x' })).toEqual([])
  })

  test('refuses a value that was not valid UTF-8, since bytes of it are lost', () => {
    expect(problems({ AUTH_JWT_SECRET: `${'x'.repeat(40)}\ufffd` })).toEqual(['AUTH_JWT_SECRET must be UTF-8'])
  })

  test.each([
    ['PORT', '0', 0],
    ['PORT', '65535', 65_535],
    ['PORT', '08080', 8080],
    ['HOST', '0.0.0.0', '0.0.0.0'],
    ['WORKERS', '1', 1],
    ['SHUTDOWN_DELAY_MS', '5000', 5000],
    ['NODE_ENV', 'development', 'development'],
    ['AUTH_JWT_SECRET', 'x'.repeat(32), 'x'.repeat(32)],
    ['AUTH_JWT_SECRET', 'ä'.repeat(16), 'ä'.repeat(16)],
    ['AUTH_OPEN', 'true', true],
    ['DATABASE_URL', 'postgres://shop:secret@db.example:5433/shop?sslmode=require', undefined],
    ['DATABASE_URL', 'postgresql://localhost/shop', undefined],
    ['DATABASE_POOL', '1000', 1000],
    ['DATABASE_TIMEOUT_MS', '1', 1],
    ['DATA_DIR', '/var/lib/shop data', '/var/lib/shop data'],
    ['DEMO_DATA', 'true', true],
    ['DEMO_DATA', 'false', false],
    ['REDIS_URL', 'redis://localhost', undefined],
    ['REDIS_URL', 'redis://a:p%25w%40@localhost/?family=6', undefined],
    ['DATABASE_URL', 'postgres://a:p%25w%40@%2Frun%2Fpostgresql/shop?sslmode=disable&search_path=shop', undefined],
    ['REDIS_URL', 'rediss://user:secret@cache.example:6380/3', undefined],
    ['REDIS_CLUSTER_NODES', 'a:1, redis://b:2', ['redis://a:1', 'redis://b:2']],
    ['REDIS_SENTINEL_NODES', 'rediss://shop:secret@a:1/2,b', ['rediss://shop:secret@a:1/2', 'redis://b']],
    ['REDIS_SENTINEL_MASTER', 'shop', 'shop'],
    ['REDIS_CONNECTIONS', '100', 100],
    ['REDIS_TIMEOUT_MS', '60000', 60_000],
    ['REDIS_HEALTH_INTERVAL_MS', '10', 10],
    ['CACHE_PREFIX', 'shop-2.test_A', 'shop-2.test_A'],
    ['CACHE_MEMORY_MB', '1', 1],
    ['MAX_COST', '1', 1],
    ['RATE_LIMIT', '0', 0],
    ['TRUSTED_PROXIES', '10', 10],
    ['INTROSPECTION', 'false', false],
    ['CORS_ORIGINS', 'https://a.example, https://b.example ,', ['https://a.example', 'https://b.example']],
    ['CORS_ORIGINS', '*', '*'],
    [
      'CORS_ORIGINS',
      'http://a.example:8080,capacitor://localhost,null',
      ['http://a.example:8080', 'capacitor://localhost', 'null'],
    ],
    ['LOG_LEVEL', 'silent', 'silent'],
    ['OTEL_TRACES_SAMPLER_ARG', '0.25', 0.25],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=Bearer%20a, x-b=c=d', { authorization: 'Bearer a', 'x-b': 'c=d' }],
  ])('accepts %s=%s', (name, text, value) => {
    expect(readConfig({ [name]: text })).toEqual({ ...defaults, [name]: value ?? text })
  })

  test.each([
    ['PORT', 'http', 'must be a whole number from 0 to 65535'],
    ['PORT', '65536', 'must be a whole number from 0 to 65535'],
    ['PORT', '-1', 'must be a whole number from 0 to 65535'],
    ['PORT', '80.5', 'must be a whole number from 0 to 65535'],
    ['PORT', '1e3', 'must be a whole number from 0 to 65535'],
    ['PORT', '0x50', 'must be a whole number from 0 to 65535'],
    ['PORT', ' 80', 'must be a whole number from 0 to 65535'],
    ['PORT', '80\n', 'must be a whole number from 0 to 65535'],
    ['PORT', '9'.repeat(400), 'must be a whole number from 0 to 65535'],
    ['WORKERS', '0', 'must be auto, or a whole number from 1 to 64'],
    ['WORKERS', '65', 'must be auto, or a whole number from 1 to 64'],
    ['WORKERS', 'all', 'must be auto, or a whole number from 1 to 64'],
    ['SHUTDOWN_DELAY_MS', '5s', 'must be a whole number from 0 to 600000'],
    ['AUTH_JWT_SECRET', 'x'.repeat(31), 'must have at least 32 bytes: openssl rand -base64 48 makes one'],
    ['AUTH_JWKS_URL', 'login.example/jwks.json', 'must be a URL that begins with https:// or http://'],
    ['AUTH_OPEN', 'perhaps', 'must be true or false'],
    ['DATABASE_URL', 'localhost:5432', 'must be a URL that begins with postgres:// or postgresql://'],
    ['DATABASE_URL', 'mysql://localhost/shop', 'must be a URL that begins with postgres:// or postgresql://'],
    ['DATABASE_URL', 'postgres:shop', 'must be a URL that begins with postgres:// or postgresql://'],
    ['DATABASE_URL', 'postgres://db.example:port/shop', 'must be a URL that begins with postgres:// or postgresql://'],
    ['DATABASE_POOL', '0', 'must be a whole number from 1 to 1000'],
    ['DATABASE_TIMEOUT_MS', '5s', 'must be a whole number from 1 to 600000'],
    ['DEMO_DATA', 'maybe', 'must be true or false'],
    ['REDIS_URL', 'localhost', 'must be a URL that begins with redis:// or rediss://'],
    ['REDIS_URL', 'localhost:6379', 'must be a URL that begins with redis:// or rediss://'],
    ['REDIS_URL', 'http://localhost:6379', 'must be a URL that begins with redis:// or rediss://'],
    ...['postgres://shop:p%w@a/shop', 'postgres://shop:%E4@a/shop', 'postgres://u:1#2@a/shop', 'postgres://u:1?2@a/shop'].map(
      (text) => ['DATABASE_URL', text, percentEncodingRule] as [string, string, string],
    ),
    [
      'DATABASE_URL',
      'postgres://a/shop?sslmode=verify_full',
      `must have one of disable, allow, prefer, require, verify-ca, verify-full as sslmode`,
    ],
    [
      'DATABASE_URL',
      'postgres://a/shop?target_session_attrs=rw',
      'must have one of read-write, read-only, primary, standby, prefer-standby as target_session_attrs',
    ],
    ...['redis://:p%w@a', 'redis://:%E4@a', 'redis://u:1#2@a', 'redis://u:1/2@a/0'].map(
      (text) => ['REDIS_URL', text, percentEncodingRule] as [string, string, string],
    ),
    ...['redis://a/0?ssl=true', 'redis://a?password=x'].map(
      (text) => ['REDIS_URL', text, redisParameterRule] as [string, string, string],
    ),
    ['REDIS_CLUSTER_NODES', 'redis://:p%w@a:1,b:2', percentEncodingRule],
    ['REDIS_CLUSTER_NODES', 'a:1?tls=true,b:2', redisParameterRule],
    ['REDIS_SENTINEL_NODES', 'a:1,redis://:p%w@b', percentEncodingRule],
    ['AUTH_JWKS_URL', 'https://a:b@login.example/jwks.json', 'must not contain credentials: fetch() rejects such a URL'],
    ['REDIS_CLUSTER_NODES', 'a:1,', 'must be host:port or redis:// addresses with commas between them'],
    ['REDIS_SENTINEL_NODES', 'http://a:1', 'must be host:port or redis:// addresses with commas between them'],
    ['REDIS_SENTINEL_NODES', 'a:port', 'must be host:port or redis:// addresses with commas between them'],
    ['REDIS_SENTINEL_NODES', 'a:1,redis://:secret@b:1', 'must have credentials and database number in the first address only'],
    ['REDIS_SENTINEL_NODES', 'a:1,redis://b:1/2', 'must have credentials and database number in the first address only'],
    ['REDIS_SENTINEL_NODES', 'redis://a:1/two', 'must end with a database number, or with none'],
    ['REDIS_CLUSTER_NODES', 'a:1,redis://b:2/3', 'must not name a database: a cluster only has database 0'],
    ['REDIS_URL', 'redis://a/shop', 'must end with a database number, or with none'],
    ['REDIS_URL', 'redis://a/-1', 'must end with a database number, or with none'],
    ['REDIS_URL', 'redis://a?db=shop', 'must end with a database number, or with none'],
    ['REDIS_CONNECTIONS', '101', 'must be a whole number from 1 to 100'],
    ['REDIS_TIMEOUT_MS', '0', 'must be a whole number from 1 to 60000'],
    ['REDIS_HEALTH_INTERVAL_MS', '9', 'must be a whole number from 10 to 600000'],
    ['CACHE_PREFIX', 'a:b', 'must be 1 to 64 letters, digits, dots, dashes or underscores'],
    ['CACHE_PREFIX', 'x'.repeat(65), 'must be 1 to 64 letters, digits, dots, dashes or underscores'],
    ['CACHE_MEMORY_MB', '0', 'must be a whole number from 1 to 65536'],
    ['MAX_COST', '0', 'must be a whole number from 1 to 999999999'],
    ['TRUSTED_PROXIES', '11', 'must be a whole number from 0 to 10'],
    ['INTROSPECTION', 'maybe', 'must be true or false'],
    ...[
      ['https://shop.example/', 'https://shop.example/ is not one, write https://shop.example'],
      ['https://a.example,https://Shop.example:443/x', 'https://Shop.example:443/x is not one, write https://shop.example'],
      ['https://bücher.example', 'https://bücher.example is not one, write https://xn--bcher-kva.example'],
      ['shop.example', 'shop.example is not one, write https://shop.example'],
      ['localhost:3000', 'localhost:3000 is not one, write http://localhost:3000'],
      ['https://*.shop.example', 'https://*.shop.example is not one'],
      ['wss://shop.example', 'wss://shop.example is not one, write https://shop.example'],
      ['https://shop.example,*', '* is not one'],
      ['https://a.example https://b.example', 'https://a.example https://b.example is not one'],
    ].map(([text = '', problem]) => {
      const message = `must be * alone, or origins (scheme and host, a port if needed, no path) with commas between them: ${problem}`
      return ['CORS_ORIGINS', text, message] as [string, string, string]
    }),
    ['LOG_LEVEL', 'INFO', 'must be one of fatal, error, warn, info, debug, silent'],
    ['LOG_FORMAT', 'text', 'must be one of pretty, json'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5', 'must be a number from 0 to 1'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318', 'must be a URL that begins with http:// or https://'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization', 'must be name=value pairs with commas between them'],
    ...['a=%2', 'a=%E4', 'a=%0A', 'a=€'].map((text) => {
      return ['OTEL_EXPORTER_OTLP_HEADERS', text, 'must be name=value pairs with commas between them'] as [string, string, string]
    }),
  ])('refuses %s=%s and names the variable', (name, text, message) => {
    const mayHoldPassword = /_URL$|_NODES$|_ENDPOINT$|SECRET|HEADERS/.test(name)
    const isQuoted = !mayHoldPassword && name !== 'CORS_ORIGINS'
    expect(problems({ [name]: text })).toEqual([`${name} ${message}${isQuoted ? `, not ${JSON.stringify(truncate(text))}` : ''}`])
  })

  test('refuses no value in the words of the library that checks it', () => {
    for (const text of [' ', 'x', '-1', '99999999999', '\0', '{}', 'a,b', 'a=b', 'http://', '*'.repeat(1_000)]) {
      for (const problem of problems(Object.fromEntries(variableNames.map((name) => [name, text]))))
        expect(problem).toMatch(/^[A-Z_]+ (must|cannot|has no effect|is) /)
      expect(problems(Object.fromEntries(variableNames.map((name) => [name, text]))).join()).not.toMatch(
        /invalid|expected|received/i,
      )
    }
  })

  test('names variables that other programs use for a setting, unless the setting or one like it is set', () => {
    const foreign = { POSTGRES_URL: 'x', JWT_SECRET: 'x', db_url: 'x', REDIS_HOST: 'x', WEB_CONCURRENCY: '2', CACHE_URL: '' }
    expect(ignoredSettings({ ...foreign, REDIS_CLUSTER_NODES: 'a:1' })).toEqual([
      'WEB_CONCURRENCY is ignored, because it is not a setting of this server: WORKERS is',
      'JWT_SECRET is ignored, because it is not a setting of this server: AUTH_JWT_SECRET is',
      'POSTGRES_URL is ignored, because it is not a setting of this server: DATABASE_URL is',
      'db_url is ignored, because it is not a setting of this server: DATABASE_URL is',
    ])
    expect(ignoredSettings({ POSTGRES_URL: 'x', DATABASE_URL: 'postgres://a/b', JWT_SECRET: 'x', AUTH_JWKS_URL: 'x' })).toEqual(
      [],
    )
    expect(problems(foreign)).toEqual([])
  })

  test('names every invalid variable in one error', () => {
    const bad = { PORT: 'x', DATABASE_URL: 'x', REDIS_URL: 'x', CACHE_PREFIX: '*', LOG_LEVEL: 'x', DEMO_DATA: 'x', HOST: 'fine' }
    expect(() => readConfig(bad)).toThrow(
      /^Bad configuration:\n {2}PORT must .*\n {2}DATABASE_URL must .*\n {2}DEMO_DATA must .*\n {2}REDIS_URL must .*\n {2}CACHE_PREFIX must .*\n {2}LOG_LEVEL .*$/,
    )
  })

  test('accepts one address of the cache, and names the superfluous ones', () => {
    const addresses = { REDIS_URL: 'redis://a', REDIS_CLUSTER_NODES: 'a:1', REDIS_SENTINEL_NODES: 'a:1' }
    const { REDIS_URL, ...withoutUrl } = addresses
    expect(problems({ REDIS_URL, REDIS_CLUSTER_NODES: 'a:1' })).toEqual([
      'REDIS_CLUSTER_NODES cannot be set together with REDIS_URL',
    ])
    expect(problems(withoutUrl)).toEqual(['REDIS_SENTINEL_NODES cannot be set together with REDIS_CLUSTER_NODES'])
    expect(problems(addresses)).toEqual([
      'REDIS_CLUSTER_NODES cannot be set together with REDIS_URL',
      'REDIS_SENTINEL_NODES cannot be set together with REDIS_URL',
    ])
  })

  test('refuses TRUSTED_DOCUMENTS_ONLY without trusted documents', () => {
    expect(problems({ TRUSTED_DOCUMENTS_ONLY: 'true' })).toEqual([
      'TRUSTED_DOCUMENTS_ONLY is true, but there are no trusted documents: set TRUSTED_DOCUMENTS to a manifest',
    ])
    const both = { TRUSTED_DOCUMENTS: 'persisted-documents.json', TRUSTED_DOCUMENTS_ONLY: 'true' }
    expect(readConfig(both)).toMatchObject({ TRUSTED_DOCUMENTS: 'persisted-documents.json', TRUSTED_DOCUMENTS_ONLY: true })
  })

  test.each(['REDIS_URL', 'REDIS_CLUSTER_NODES', 'REDIS_SENTINEL_NODES'])('accepts several workers with %s', (name) => {
    const redis = { [name]: 'redis://a' }
    expect(readConfig({ ...redis, WORKERS: '64' }).WORKERS).toBe(64)
    expect(readConfig({ ...redis, WORKERS: 'auto' }).WORKERS).toBe(Math.min(availableParallelism(), 64))
  })

  test('refuses several workers without a shared cache, with the remedy', () => {
    expect(problems({ WORKERS: '2' })).toEqual([
      "WORKERS is 2, but workers need a shared cache to see each other's changes: set one of REDIS_URL, REDIS_CLUSTER_NODES, REDIS_SENTINEL_NODES, or WORKERS=1",
    ])
  })

  const secret = { AUTH_JWT_SECRET: 'x'.repeat(32) }
  const keys = { AUTH_JWKS_URL: 'https://login.example/jwks.json', AUTH_ISSUER: 'https://login.example/', AUTH_AUDIENCE: 'shop' }

  test.each([
    ['a secret', secret],
    ['a secret, an issuer and an audience', { ...secret, AUTH_ISSUER: 'a', AUTH_AUDIENCE: 'b' }],
    ['a key set', keys],
    ['explicitly no authentication', { AUTH_OPEN: 'true' }],
  ])('accepts %s in production', (_, environment) => {
    expect(readConfig({ NODE_ENV: 'production', ...environment })).toMatchObject({ NODE_ENV: 'production' })
  })

  test.each<[Record<string, string>, string[]]>([
    [{ NODE_ENV: 'production' }, ['NODE_ENV is production, but authentication is not configured']],
    [{ NODE_ENV: 'production', AUTH_JWT_SECRET: '' }, ['NODE_ENV is production, but authentication is not configured']],
    [{ ...secret, ...keys }, ['AUTH_JWKS_URL cannot be set together with AUTH_JWT_SECRET']],
    [{ ...secret, AUTH_OPEN: 'true' }, ['AUTH_OPEN cannot be set together with AUTH_JWT_SECRET']],
    [{ ...keys, AUTH_OPEN: 'true' }, ['AUTH_OPEN cannot be set together with AUTH_JWKS_URL']],
    [{ AUTH_JWKS_URL: keys.AUTH_JWKS_URL }, ['AUTH_ISSUER must be set with AUTH_JWKS_URL', 'AUTH_AUDIENCE must be set']],
    [{ AUTH_ISSUER: 'a', AUTH_AUDIENCE: 'b' }, ['AUTH_ISSUER has no effect', 'AUTH_AUDIENCE has no effect']],
  ])('refuses %j, so that a forgotten setting never disables authentication', (environment, expected) => {
    expect(problems(environment)).toEqual(expected.map((text) => expect.stringContaining(text)))
  })

  test('names a variable once, even if it breaks several rules', () => {
    expect(problems({ PORT: '-99999999999' })).toHaveLength(1)
    expect(problems({ CACHE_PREFIX: '*'.repeat(100) })).toHaveLength(1)
  })

  test.each([
    ['OTEL_EXPORTER_OTLP_HEADERS', 'hunter2'],
    ['DATABASE_URL', 'postgress://shop:hunter2@db.example/shop'],
    ['DATABASE_URL', 'postgres://shop:hunter2@db.example:port/shop'],
    ['AUTH_JWT_SECRET', 'hunter2'],
    ['AUTH_JWKS_URL', 'shop:hunter2@login.example'],
    ['REDIS_URL', 'shop:hunter2@cache.example'],
    ['REDIS_URL', 'redis://:hunter2@[cache.example'],
    ['REDIS_URL', 'redis://:hunter2%@cache.example'],
    ['REDIS_URL', 'redis://shop:1?hunter2@cache.example'],
    ['DATABASE_URL', 'postgres://shop:1#hunter2@db.example/shop'],
    ['REDIS_SENTINEL_NODES', 'a:1,redis://:hunter2@b:1'],
  ])('does not repeat the password in a bad %s: %s', (name, text) => {
    expect.assertions(2)
    try {
      readConfig({ [name]: text, PORT: 'x' })
    } catch (error) {
      expect(String(error)).toContain(name)
      expect(`${String(error)} ${JSON.stringify(error)} ${(error as Error).stack}`).not.toContain('hunter2')
    }
  })
})
