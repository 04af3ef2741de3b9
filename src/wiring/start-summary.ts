import { allowsIntrospection, type Config, redisVariables } from '../config.js'
import { hasAuthentication } from './authenticator.js'

/** Aligned lines for a person at a terminal: addresses, database, cache, and who has access. */
export function startSummary(config: Config, url: string): string {
  const { origin } = new URL(url)
  const lines = [
    ['Explorer', allowsIntrospection(config) ? `${url} (Apollo Sandbox), ${origin}/graphiql` : 'off (INTROSPECTION)'],
    ['Dashboard', `${origin}/dashboard`],
    ['Database', config.DATABASE_URL ? `Postgres at ${hostsOf(config.DATABASE_URL)}` : `embedded Postgres in ${config.DATA_DIR}`],
    ['Cache', cacheOf(config)],
    [
      'Access',
      hasAuthentication(config) ? 'by token' : 'every caller is an administrator: set AUTH_JWT_SECRET before others can reach it',
    ],
  ]
  return lines.map(([name = '', value]) => `  ${name.padEnd(labelWidth)}${value}\n`).join('')
}

function cacheOf(config: Config): string {
  const variable = redisVariables.find((name) => config[name] !== undefined)
  if (!variable) return `in this process (${config.CACHE_MEMORY_MB} MB); for several processes set REDIS_URL`
  const urls = [config[variable] ?? []].flat()
  return `Redis at ${urls.map(hostsOf).join(', ')}`
}

/** Returns the host and port, without credentials. */
function hostsOf(url: string): string {
  return new URL(url).host
}

const labelWidth = 11
