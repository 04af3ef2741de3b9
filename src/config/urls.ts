import { isDecodable } from '../platform/percent-encoding.js'

/**
 * Describes the problem with a Postgres URL, without repeating the URL. Only the parameters in `databaseParameters` are checked,
 * because Postgres itself rejects unknown settings.
 */
export function databaseUrlProblem(text: string): string | undefined {
  if (!isPercentEncoded(text)) return percentEncodingRule
  for (const [name, value] of new URL(text).searchParams) {
    const values = databaseParameters[name]
    if (values && !values.includes(value)) return `must have one of ${values.join(', ')} as ${name}`
  }
  return undefined
}

const databaseParameters: Partial<Record<string, readonly string[]>> = {
  sslmode: ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'],
  target_session_attrs: ['read-write', 'read-only', 'primary', 'standby', 'prefer-standby'],
}

/** Describes the problem with a Redis URL, without repeating the URL. */
export function redisUrlProblem(text: string): string | undefined {
  if (!isPercentEncoded(text)) return percentEncodingRule
  const isKnown = (name: string) => name === 'family' || name === 'db'
  return [...new URL(text).searchParams.keys()].every(isKnown) ? undefined : 'must have no parameters but family and db'
}

/**
 * Whether the credentials are percent-encoded. An unencoded special character would end the credentials early, and the rest would
 * be parsed as the address of another server.
 */
function isPercentEncoded(text: string): boolean {
  const { username, password, pathname, search, hash } = new URL(text)
  return hash === '' && !`${pathname}${search}`.includes('@') && isDecodable(username) && isDecodable(password)
}

const percentEncodingRule = 'must have %, #, ?, / and @ in its user and password percent-encoded: %25, %23, %3F, %2F, %40'

/**
 * Describes the problem with a list of origins. An origin matches only if it is written exactly as browsers send it in the header
 * Origin.
 */
export function originsProblem(list: readonly string[]): string | undefined {
  const [invalid] = list.length === 1 && list[0] === '*' ? [] : list.filter((text) => originOfUrl(text) !== text)
  if (invalid === undefined) return undefined
  const intended = [invalid, `${isLoopback.test(invalid) ? 'http' : 'https'}://${invalid.replace(/^.*?:\/\//, '')}`]
  const origin = intended.map(originOfUrl).find((origin) => origin !== null)
  const hint = origin === undefined ? '' : `, write ${origin}`
  return `must be * alone, or origins (scheme and host, a port if needed, no path) with commas between them: ${invalid} is not one${hint}`
}

/** Returns null if pages cannot have such an origin. */
function originOfUrl(text: string): string | null {
  if (text === 'null') return text
  if (!URL.canParse(text)) return null
  const { protocol, host } = new URL(text)
  const isPageOrigin = host !== '' && !host.includes('*') && protocol !== 'ws:' && protocol !== 'wss:'
  return isPageOrigin ? `${protocol}//${host}` : null
}

const isLoopback = /^(?:ws:\/\/)?(?:localhost|127\.|\[::1\])/i
