import { allowsIntrospection, type Config } from '../config.js'
import { hasAuthentication } from './authenticator.js'
import { redisVariable } from './cache.js'

/** The first line after the start. Without introspection, a browser finds nothing at the address. */
export function readyLine(config: Config, url: string): string {
  return allowsIntrospection(config) ? `Ready: open ${url}` : `Ready: ${url}`
}

/** Aligned lines, for a terminal of 80 columns: addresses, database, cache, and who has access. */
export function startSummary(config: Config, url: string): string {
  const { origin } = new URL(url)
  const explorers = [`${url} (Apollo Sandbox)`, `${origin}/graphiql`]
  const lines: [name: string, ...values: string[]][] = [
    ['Explorer', ...(allowsIntrospection(config) ? explorers : ['off, because INTROSPECTION is'])],
    ['Dashboard', `${origin}/dashboard${hasAuthentication(config) ? ", with an administrator's token" : ''}`],
    ['Database', config.DATABASE_URL ? `Postgres at ${hostsOf(config.DATABASE_URL)}` : `embedded Postgres in ${config.DATA_DIR}`],
    ['Cache', cacheOf(config)],
    ['Access', ...accessOf(config)],
  ]
  return lines.map(([name, ...values]) => `  ${name.padEnd(labelWidth)}${values.join(continuation)}\n`).join('')
}

function cacheOf(config: Config): string {
  const variable = redisVariable(config)
  if (!variable) return `in this process (${config.CACHE_MEMORY_MB} MB); for several processes set REDIS_URL`
  const urls = [config[variable] ?? []].flat()
  return `Redis at ${urls.map(hostsOf).join(', ')}`
}

/** Returns one or two lines. */
function accessOf({ AUTH_JWT_SECRET, AUTH_JWKS_URL, AUTH_OPEN }: Config): string[] {
  if (AUTH_JWT_SECRET !== undefined) return ['by tokens that are signed with AUTH_JWT_SECRET']
  if (AUTH_JWKS_URL !== undefined) return [`by tokens that are signed with a key of ${hostsOf(AUTH_JWKS_URL)}`, '(AUTH_JWKS_URL)']
  const everyone = 'every caller is an administrator'
  return AUTH_OPEN ? [`${everyone} (AUTH_OPEN)`] : [`${everyone}:`, 'set AUTH_JWT_SECRET before others can reach it']
}

/** Returns the host and port, without credentials. */
function hostsOf(url: string): string {
  return new URL(url).host
}

const labelWidth = 11
/** Between the lines of one value */
const continuation = `\n  ${' '.repeat(labelWidth)}`
