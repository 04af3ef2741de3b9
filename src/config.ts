import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { foreignNames, misspeltNames } from './config/misspelt-names.js'
import { databaseUrlProblem, originsProblem, redisUrlProblem } from './config/urls.js'
import { isDecodable } from './platform/percent-encoding.js'
import { truncate } from './platform/truncate.js'

const maxWorkers = 64
const samplers = [
  ...(['always_on', 'always_off', 'traceidratio'] as const),
  ...(['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'] as const),
] as const
const redisProtocols = ['redis:', 'rediss:']
const databaseNumberRule = 'must end with a database number, or with none'

/** The variables with their valid values and defaults. A test keeps the table in the README equal to this one. */
const variables = {
  PORT: integer(0, 65_535).default(4000),
  HOST: z.string().default('127.0.0.1'),
  WORKERS: z
    .string()
    .transform((text) => (text === 'auto' ? String(Math.min(availableParallelism(), maxWorkers)) : text))
    .pipe(integer(1, maxWorkers, `must be auto, or a whole number from 1 to ${maxWorkers}`))
    .default(1),
  SHUTDOWN_DELAY_MS: integer(0, 600_000).default(0),
  NODE_ENV: z
    .string()
    .refine((mode) => mode === 'production' || !/^prod/i.test(mode), 'must be exactly "production" for production')
    .optional(),
  AUTH_JWT_SECRET: z
    .string()
    .refine((secret) => Buffer.byteLength(secret) >= 32, 'must have at least 32 bytes: openssl rand -base64 48 makes one')
    .optional(),
  AUTH_JWKS_URL: url('https:', 'http:')
    .refine((text) => !hasCredentials(text), { error: 'must not contain credentials: fetch() rejects such a URL', abort: true })
    .optional(),
  AUTH_ISSUER: z.string().optional(),
  AUTH_AUDIENCE: z.string().optional(),
  AUTH_OPEN: z.stringbool('must be true or false').default(false),
  DATABASE_URL: url('postgres:', 'postgresql:').superRefine(check(databaseUrlProblem)).optional(),
  DATABASE_POOL: integer(1, 1000).default(10),
  DATABASE_TIMEOUT_MS: integer(1, 600_000).default(5000),
  DATA_DIR: z.string().default('.data'),
  DEMO_DATA: z.stringbool('must be true or false').default(true),
  REDIS_URL: url(...redisProtocols)
    .superRefine(check(redisUrlProblem))
    .refine((text) => databaseNumber(text) !== null, databaseNumberRule)
    .optional(),
  REDIS_CLUSTER_NODES: redisNodes()
    .refine((urls) => urls.every((text) => databaseNumber(text) === 0), 'must not name a database: a cluster only has database 0')
    .optional(),
  REDIS_SENTINEL_NODES: redisNodes()
    .refine(([first]) => databaseNumber(first) !== null, databaseNumberRule)
    .refine(
      ([, ...others]) => !others.some((text) => hasCredentials(text) || databaseNumber(text) !== 0),
      'must have credentials and database number in the first address only',
    )
    .optional(),
  REDIS_SENTINEL_MASTER: z.string().default('mymaster'),
  REDIS_CONNECTIONS: integer(1, 100).default(1),
  REDIS_TIMEOUT_MS: integer(1, 60_000).default(250),
  REDIS_HEALTH_INTERVAL_MS: integer(10, 600_000).default(1000),
  CACHE_PREFIX: z
    .string()
    .regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
    .default('ecommerce'),
  CACHE_MEMORY_MB: integer(1, 65_536).default(64),
  CACHE_NEAR_MB: integer(0, 65_536).default(64),
  CACHE_NEAR_MAX_STALENESS_MS: integer(200, 60_000).default(500),
  CACHE_MAX_FETCHES: integer(1, 10_000).default(20),
  CACHE_MAX_WAITING_FETCHES: integer(0, 100_000).default(500),
  REQUEST_TIMEOUT_MS: integer(100, 600_000).default(10_000),
  RECEIVE_TIMEOUT_MS: integer(100, 600_000).default(15_000),
  SEND_TIMEOUT_MS: integer(100, 600_000).default(30_000),
  MAX_CONNECTIONS: integer(1, 1_000_000).default(10_000),
  MAX_IN_FLIGHT: integer(1, 1_000_000).default(1_000),
  MAX_EVENT_LOOP_DELAY_MS: integer(1, 60_000).default(500),
  MAX_COST: integer(1, 999_999_999).default(250),
  RATE_LIMIT: integer(0, 999_999_999).optional(),
  TRUSTED_PROXIES: integer(0, 10).default(0),
  INTROSPECTION: z.stringbool('must be true or false').optional(),
  AUDIT_INTERVAL_MS: integer(0, 86_400_000).default(10_000),
  TRUSTED_DOCUMENTS: z.string().optional(),
  TRUSTED_DOCUMENTS_ONLY: z.stringbool('must be true or false').default(false),
  CORS_ORIGINS: origins().default(['https://studio.apollographql.com']),
  LIVE_MAX_CONNECTIONS: integer(0, 1_000_000).default(10_000),
  LIVE_MAX_CONNECTIONS_PER_ADDRESS: integer(0, 1_000_000).default(1000),
  LIVE_HEARTBEAT_MS: integer(100, 600_000).default(15_000),
  LOG_LEVEL: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'silent').default('info'),
  LOG_FORMAT: oneOf('pretty', 'json').optional(),
  LOG_REQUESTS: oneOf('none', 'problems', 'all').default('problems'),
  LOG_SLOW_REQUEST_MS: integer(1, 600_000).default(1000),
  OTEL_EXPORTER_OTLP_ENDPOINT: url('http:', 'https:').optional(),
  OTEL_EXPORTER_OTLP_HEADERS: headers().optional(),
  OTEL_SERVICE_NAME: z.string().default('graphql-cached-shop'),
  OTEL_TRACES_SAMPLER: oneOf(...samplers).default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: ratio().default(1),
}

export type Config = z.infer<typeof schema>

export function isProduction({ NODE_ENV }: Pick<Config, 'NODE_ENV'>): boolean {
  return NODE_ENV === 'production'
}

export function allowsIntrospection(config: Pick<Config, 'INTROSPECTION' | 'NODE_ENV'>): boolean {
  return config.INTROSPECTION ?? !isProduction(config)
}

const schema = z.object(variables)

/** Each of these variables configures the shared cache. If none is set, the cache is in the memory of this process. */
export const redisVariables = ['REDIS_URL', 'REDIS_CLUSTER_NODES', 'REDIS_SENTINEL_NODES'] as const

export const variableNames = Object.keys(variables)

/** Reads the configuration. An empty variable counts as not set. Throws ConfigError, which lists every invalid variable. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const settings = withoutEmpty(environment)
  const ineffective = ineffectiveSettings(settings)
  const result = schema.safeParse(settings)
  const invalid = result.success
    ? conflicts(result.data)
    : result.error.issues.map(({ path, message }) => `${path.join('.')} ${message}${givenValue(String(path[0]), settings)}`)
  const problems = [...ineffective, ...invalid]
  if (!result.success || problems.length > 0) throw new ConfigError(problems)
  return result.data
}

function withoutEmpty(environment: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const entries = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  )
  return Object.fromEntries(entries)
}

/** Quotes the value of an invalid variable, unless the value may contain a password or the message quotes a part of it. */
function givenValue(name: string, settings: Readonly<Record<string, string>>): string {
  return unquotedVariables.test(name) ? '' : `, not ${JSON.stringify(truncate(settings[name] ?? ''))}`
}

const unquotedVariables = /SECRET|HEADERS|_URL$|_ENDPOINT$|_NODES$|^CORS_ORIGINS$/

/** Describes valid values that contradict each other. */
function conflicts(config: Config): string[] {
  const [first, ...others] = redisVariables.filter((name) => config[name] !== undefined)
  const problems = [
    ...authenticationProblems(config),
    ...others.map((name) => [name, `cannot be set together with ${first}`] as const),
  ].map((problem) => problem.join(' '))
  if (config.TRUSTED_DOCUMENTS_ONLY && config.TRUSTED_DOCUMENTS === undefined)
    problems.push('TRUSTED_DOCUMENTS_ONLY is true, but there are no trusted documents: set TRUSTED_DOCUMENTS to a manifest')
  if (config.WORKERS > 1 && first === undefined)
    problems.push(
      `WORKERS is ${config.WORKERS}, but workers need a shared cache to see each other's changes: set one of ${redisVariables.join(', ')}, or WORKERS=1`,
    )
  return problems
}

/** Describes variables that would be ignored or would not have the intended effect: misspelt names and values that lost bytes. */
function ineffectiveSettings(settings: Readonly<Record<string, string>>): string[] {
  const misspelt = [...misspeltNames(Object.keys(settings), variableNames)].filter(
    ([, intended]) => settings[intended] === undefined,
  )
  // Node decodes variables as UTF-8. A replacement character shows that a value was not UTF-8 and lost bytes.
  const replaced = variableNames.filter((name) => settings[name]?.includes('\ufffd'))
  return [
    ...misspelt.map(
      ([name, intended]) => `${name} is not a setting: write ${intended}, or leave it empty if it is for another program`,
    ),
    ...replaced.map((name) => `${name} must be UTF-8`),
  ]
}

/** Describes variables that are ignored although other programs use them for what one of the settings, which is not set, is for. */
export function ignoredSettings(environment: Readonly<Record<string, string | undefined>>): string[] {
  return [...foreignNames(Object.keys(withoutEmpty(environment)))].map(
    ([name, intended]) => `${name} is ignored, because it is not a setting of this server: ${intended} is`,
  )
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError'

  constructor(readonly problems: readonly string[]) {
    super(`Bad configuration:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
  }
}

/** Describes settings that leave authentication off by mistake, and authentication settings that have no effect. */
function authenticationProblems(config: Config): [name: string, message: string][] {
  const { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL: url, AUTH_OPEN: open } = config
  const claims = ['AUTH_ISSUER', 'AUTH_AUDIENCE'] as const
  if (secret !== undefined && url !== undefined) return [['AUTH_JWKS_URL', 'cannot be set together with AUTH_JWT_SECRET']]
  if (url !== undefined || secret !== undefined) {
    if (open) return [['AUTH_OPEN', `cannot be set together with ${url === undefined ? 'AUTH_JWT_SECRET' : 'AUTH_JWKS_URL'}`]]
    if (secret !== undefined) return []
    const missing = claims.filter((name) => config[name] === undefined)
    return missing.map((name) => [name, 'must be set with AUTH_JWKS_URL: these keys also sign tokens for other services'])
  }
  const unused = claims.filter((name) => config[name] !== undefined)
  if (unused.length > 0) return unused.map((name) => [name, 'has no effect without AUTH_JWT_SECRET or AUTH_JWKS_URL'])
  if (open || !isProduction(config)) return []
  const message =
    'is production, but authentication is not configured: set AUTH_JWT_SECRET or AUTH_JWKS_URL, or AUTH_OPEN=true to make every client an administrator'
  return [['NODE_ENV', message]]
}

function integer(min: number, max: number, message = `must be a whole number from ${min} to ${max}`) {
  return z
    .string()
    .regex(/^\d{1,9}$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error: message, abort: true })
}

function oneOf<const Values extends readonly [string, ...string[]]>(...values: Values) {
  return z.enum(values, `must be one of ${values.join(', ')}`)
}

function ratio() {
  return z
    .string()
    .refine((text) => /^\d*\.?\d+$/.test(text) && Number(text) <= 1, 'must be a number from 0 to 1')
    .transform(Number)
}

/**
 * HTTP headers in the format of W3C baggage: name=value pairs with percent-encoded values. The error message does not repeat the
 * values.
 */
function headers() {
  return z
    .string()
    .refine((list) => list.split(',').every(isHeader), {
      error: 'must be name=value pairs with commas between them',
      abort: true,
    })
    .transform((list) => Object.fromEntries(list.split(',').map(toHeader)))
}

function isHeader(pair: string): boolean {
  if (!/^\s*[\w.-]+\s*=/.test(pair) || !isDecodable(pair)) return false
  const [, value] = toHeader(pair)
  // The characters that an HTTP header value may contain
  return /^[\t -~\u0080-\u00ff]*$/.test(value)
}

function toHeader(pair: string): [name: string, value: string] {
  const separator = pair.indexOf('=')
  return [pair.slice(0, separator).trim(), decodeURIComponent(pair.slice(separator + 1).trim())]
}

/** A URL that begins with one of the protocols. The error message does not repeat the value, which may contain a password. */
function url(...protocols: string[]) {
  const message = `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`
  return z.string().refine((text) => isUrl(text, protocols), { error: message, abort: true })
}

function isUrl(text: string, protocols: readonly string[]): boolean {
  return URL.canParse(text) && protocols.some((protocol) => text.toLowerCase().startsWith(`${protocol}//`))
}

function origins() {
  return z
    .string()
    .transform((list) =>
      list
        .split(',')
        .map((origin) => origin.trim())
        .filter(Boolean),
    )
    .superRefine(check(originsProblem))
    .transform((list) => (list[0] === '*' ? ('*' as const) : list))
}

/** Returns a Zod check that reports the problem returned by `problemOf`, which returns undefined for a valid value. */
function check<T>(problemOf: (value: T) => string | undefined) {
  return (value: T, context: z.RefinementCtx<T>) => {
    const message = problemOf(value)
    if (message !== undefined) context.addIssue({ code: 'custom', message, continue: false })
  }
}

function redisNodes() {
  return z
    .string()
    .transform((list) => list.split(',').map(toRedisUrl) as [string, ...string[]])
    .refine((urls) => urls.every(isNode), {
      error: 'must be host:port or redis:// addresses with commas between them',
      abort: true,
    })
    .superRefine(check((urls) => urls.map(redisUrlProblem).find((problem) => problem !== undefined)))
}

function isNode(text: string): boolean {
  return isUrl(text, redisProtocols) && new URL(text).hostname !== ''
}

/**
 * Returns the database number in a Redis URL: 0 if the URL names no database, null if the name is not a number. The Redis client
 * would use database 0 in both cases.
 */
function databaseNumber(text: string): number | null {
  const { pathname, searchParams } = new URL(text)
  const number = pathname.slice(1) || (searchParams.get('db') ?? '')
  return /^\d{0,9}$/.test(number) ? Number(number) : null
}

function hasCredentials(text: string): boolean {
  const { username, password } = new URL(text)
  return username !== '' || password !== ''
}

function toRedisUrl(address: string): string {
  return address.includes('://') ? address.trim() : `redis://${address.trim()}`
}
