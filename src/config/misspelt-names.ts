/**
 * Maps each name that is probably misspelt to the known name that was probably intended. A known name plus an underscore and a
 * suffix is not a misspelling.
 */
export function misspeltNames(names: readonly string[], known: readonly string[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const name of names) {
    if (known.includes(name)) continue
    const nearest = known.find(
      (candidate) => !name.startsWith(`${candidate}_`) && isSimilar(name.toUpperCase().replaceAll('-', '_'), candidate),
    )
    if (nearest !== undefined) found.set(name, nearest)
  }
  return found
}

/** The settings for one purpose, and the names of other programs for the first of them */
const foreignNamesOf: readonly { settings: readonly [string, ...string[]]; names: readonly string[] }[] = [
  { settings: ['PORT'], names: ['APP_PORT', 'HTTP_PORT', 'SERVER_PORT'] },
  { settings: ['WORKERS'], names: ['WEB_CONCURRENCY', 'CLUSTER_WORKERS'] },
  { settings: ['AUTH_JWT_SECRET', 'AUTH_JWKS_URL'], names: ['JWT_SECRET', 'AUTH_SECRET', 'TOKEN_SECRET'] },
  { settings: ['AUTH_JWKS_URL', 'AUTH_JWT_SECRET'], names: ['JWKS_URL', 'JWKS_URI'] },
  {
    settings: ['DATABASE_URL'],
    names: ['DB_URL', 'DB_URI', 'PG_URL', 'POSTGRES_URL', 'POSTGRES_URI', 'POSTGRESQL_URL', 'POSTGRESQL_URI'],
  },
  {
    settings: ['REDIS_URL', 'REDIS_CLUSTER_NODES', 'REDIS_SENTINEL_NODES'],
    names: ['CACHE_URL', 'KEYV_URL', 'VALKEY_URL', 'REDIS_DSN', 'REDIS_HOST', 'REDIS_TLS_URL'],
  },
  { settings: ['CORS_ORIGINS'], names: ['ALLOWED_ORIGINS', 'CORS_ALLOWED_ORIGINS'] },
]

/** Maps each name that other programs use for a purpose for which no setting is given to the setting for it. */
export function foreignNames(given: readonly string[]): Map<string, string> {
  const missing = foreignNamesOf.filter(({ settings }) => !settings.some((name) => given.includes(name)))
  return new Map(
    missing.flatMap(({ settings: [setting], names }) =>
      given.filter((name) => names.includes(name.toUpperCase())).map((name) => [name, setting] as const),
    ),
  )
}

/**
 * Whether one letter is wrong, missing or extra, or two adjacent letters are swapped. If two wrong letters were allowed,
 * DATABASE_PORT, which Kubernetes sets, would match DATABASE_POOL. Short names never match, because they are similar to too many
 * other names.
 */
function isSimilar(name: string, known: string): boolean {
  if (known.length < 7) return false
  const shorter = Math.min(name.length, known.length)
  let start = 0
  while (start < shorter && name[start] === known[start]) start += 1
  let end = 0
  while (end < shorter - start && name.at(-1 - end) === known.at(-1 - end)) end += 1
  const actual = name.slice(start, name.length - end)
  const intended = known.slice(start, known.length - end)
  return (
    Math.max(actual.length, intended.length) <= 1 ||
    (actual.length === 2 && actual === `${intended[1]}${intended[0]}` && intended.length === 2)
  )
}
