import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { misspeltNames } from './config/misspelt-names.js'
import { databaseUrlFault, originsFault, redisUrlFault } from './config/urls.js'
import { isDecodable } from './platform/percent-encoding.js'

const maxWorkers = 64
const samplers = [
  ...(['always_on', 'always_off', 'traceidratio'] as const),
  ...(['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'] as const),
] as const
const redisProtocols = ['redis:', 'rediss:']
const databaseFault = 'must end with the number of a database, or with none'

/** Variable, what it may be, and what it is where it is not set. The README's table is kept equal to this one by a test. */
const variables = {
  PORT: integer(0, 65_535).default(4000),
  HOST: z.string().default('127.0.0.1'),
  WORKERS: z
    .string()
    .transform((text) => (text === 'auto' ? String(Math.min(availableParallelism(), maxWorkers)) : text))
    .pipe(integer(1, maxWorkers, `must be auto, or a whole number from 1 to ${maxWorkers}`))
    .default(1),
  SHUTDOWN_DELAY_MS: integer(0, 600_000).default(0),
  NODE_ENV: z.string().optional(),
  AUTH_JWT_SECRET: z
    .string()
    .refine((secret) => Buffer.byteLength(secret) >= 32, 'must have at least 32 bytes: openssl rand -base64 48 makes one')
    .optional(),
  AUTH_JWKS_URL: url('https:', 'http:')
    .refine((text) => !hasCredentials(text), { error: 'must hold no credentials: fetching it would fail', abort: true })
    .optional(),
  AUTH_ISSUER: z.string().optional(),
  AUTH_AUDIENCE: z.string().optional(),
  AUTH_OPEN: z.stringbool('must be true or false').default(false),
  DATABASE_URL: url('postgres:', 'postgresql:').superRefine(refuse(databaseUrlFault)).optional(),
  DATABASE_POOL: integer(1, 1000).default(10),
  DATABASE_TIMEOUT_MS: integer(1, 600_000).default(5000),
  DATA_DIR: z.string().default('.data'),
  DEMO_DATA: z.stringbool('must be true or false').default(true),
  REDIS_URL: url(...redisProtocols)
    .superRefine(refuse(redisUrlFault))
    .refine((text) => database(text) !== null, databaseFault)
    .optional(),
  REDIS_CLUSTER_NODES: redisNodes()
    .refine((urls) => urls.every((text) => database(text) === 0), 'must not name a database: a cluster has number 0 only')
    .optional(),
  REDIS_SENTINEL_NODES: redisNodes()
    .refine(([first]) => database(first) !== null, databaseFault)
    .refine(
      ([, ...others]) => !others.some((text) => hasCredentials(text) || database(text) !== 0),
      'must hold credentials and database number in its first address only',
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
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
  LOG_REQUESTS: z.enum(['none', 'problems', 'all']).default('problems'),
  LOG_SLOW_REQUEST_MS: integer(1, 600_000).default(1000),
  OTEL_EXPORTER_OTLP_ENDPOINT: url('http:', 'https:').optional(),
  OTEL_EXPORTER_OTLP_HEADERS: headers().optional(),
  OTEL_SERVICE_NAME: z.string().default('graphql-cached-shop'),
  OTEL_TRACES_SAMPLER: z.enum(samplers).default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: ratio().default(1),
}

export type Config = z.infer<typeof schema>

export function isProduction({ NODE_ENV }: Pick<Config, 'NODE_ENV'>): boolean {
  return NODE_ENV === 'production'
}
const schema = z.object(variables).superRefine((config, context) => {
  for (const [name, message] of authenticationFaults(config)) context.addIssue({ code: 'custom', path: [name], message })
  const [first, ...others] = redisVariables.filter((name) => config[name] !== undefined)
  for (const name of others) context.addIssue({ code: 'custom', path: [name], message: `cannot be set together with ${first}` })
  if (config.TRUSTED_DOCUMENTS_ONLY && config.TRUSTED_DOCUMENTS === undefined) {
    const message = 'is true, and there are no documents to trust; set TRUSTED_DOCUMENTS to a manifest of them'
    context.addIssue({ code: 'custom', path: ['TRUSTED_DOCUMENTS_ONLY'], message })
  }
  if (config.WORKERS > 1 && first === undefined) {
    const message = `is ${config.WORKERS}: each would have a cache of its own and not be told of the others' changes; set one of ${redisVariables.join(', ')}, or WORKERS=1`
    context.addIssue({ code: 'custom', path: ['WORKERS'], message })
  }
})

/** Each says where the shared cache is; without any, it is in this process. */
export const redisVariables = ['REDIS_URL', 'REDIS_CLUSTER_NODES', 'REDIS_SENTINEL_NODES'] as const

export const variableNames = Object.keys(variables)

/** Throws ConfigError, which names every bad variable. An empty variable counts as not set. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''))
  const unread = unreadSettings(set as Readonly<Record<string, string>>)
  const result = schema.safeParse(set)
  if (result.success && unread.length === 0) return result.data
  const issues = result.error?.issues ?? []
  throw new ConfigError([...unread, ...issues.map(({ path, message }) => `${path.join('.')} ${message}`)])
}

/** What was meant to be a setting, and would have no effect, or another one. */
function unreadSettings(set: Readonly<Record<string, string>>): string[] {
  const misspelt = [...misspeltNames(Object.keys(set), variableNames)].filter(([, meant]) => set[meant] === undefined)
  // What a variable of the process holds has been decoded already.
  const replaced = variableNames.filter((name) => set[name]?.includes('\ufffd'))
  return [
    ...misspelt.map(
      ([name, meant]) => `${name} is not a setting: write ${meant}, or leave it empty where it is not meant for this`,
    ),
    ...replaced.map((name) => `${name} must be UTF-8`),
  ]
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError'

  constructor(readonly faults: readonly string[]) {
    super(`Bad configuration:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
  }
}

/** Who may do what must never hang on a setting that was forgotten, or that has no effect. */
function authenticationFaults(config: z.infer<z.ZodObject<typeof variables>>): [name: string, message: string][] {
  const { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL: url, AUTH_OPEN: open } = config
  const claims = ['AUTH_ISSUER', 'AUTH_AUDIENCE'] as const
  if (secret !== undefined && url !== undefined) return [['AUTH_JWKS_URL', 'cannot be set together with AUTH_JWT_SECRET']]
  if (url !== undefined || secret !== undefined) {
    if (open) return [['AUTH_OPEN', `cannot be set together with ${url === undefined ? 'AUTH_JWT_SECRET' : 'AUTH_JWKS_URL'}`]]
    if (secret !== undefined) return []
    const lacking = claims.filter((name) => config[name] === undefined)
    return lacking.map((name) => [name, 'must be set with AUTH_JWKS_URL: such keys sign tokens for other services too'])
  }
  const idle = claims.filter((name) => config[name] !== undefined)
  if (idle.length > 0) return idle.map((name) => [name, 'has no effect without AUTH_JWT_SECRET or AUTH_JWKS_URL'])
  if (open || !isProduction(config)) return []
  const message =
    'is production and nothing says who may do what: set AUTH_JWT_SECRET or AUTH_JWKS_URL, or AUTH_OPEN=true to let everybody do everything'
  return [['NODE_ENV', message]]
}

function integer(least: number, most: number, message = `must be a whole number from ${least} to ${most}`) {
  return z
    .string()
    .regex(/^\d{1,9}$/, message)
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error: message, abort: true })
}

function ratio() {
  return z
    .string()
    .refine((text) => /^\d*\.?\d+$/.test(text) && Number(text) <= 1, 'must be a number from 0 to 1')
    .transform(Number)
}

/** As baggage is written: percent-encoded values. The message does not repeat them. */
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
  // What a header may hold
  return /^[\t -~\u0080-\u00ff]*$/.test(value)
}

function toHeader(pair: string): [name: string, value: string] {
  const separator = pair.indexOf('=')
  return [pair.slice(0, separator).trim(), decodeURIComponent(pair.slice(separator + 1).trim())]
}

/** The value is not repeated in the message: it may hold a password. */
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
    .superRefine(refuse(originsFault))
    .transform((list) => (list[0] === '*' ? ('*' as const) : list))
}

/** Makes a check of a function that says what is wrong. */
function refuse<T>(faultOf: (value: T) => string | undefined) {
  return (value: T, context: z.RefinementCtx<T>) => {
    const message = faultOf(value)
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
    .superRefine(refuse((urls) => urls.map(redisUrlFault).find((fault) => fault !== undefined)))
}

function isNode(text: string): boolean {
  return isUrl(text, redisProtocols) && new URL(text).hostname !== ''
}

/** 0 where it names none, null where what it names is no number. The client would use database 0 for both. */
function database(text: string): number | null {
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
