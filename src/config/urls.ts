import { isDecodable } from '../platform/percent-encoding.js'

/** What is wrong with the URL of a Postgres, which it does not repeat; other parameters are settings of Postgres, which refuses what it does not know. */
export function databaseUrlFault(text: string): string | undefined {
  if (!isWhole(text)) return notWhole
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

/** What is wrong with the URL of a Redis, which it does not repeat */
export function redisUrlFault(text: string): string | undefined {
  if (!isWhole(text)) return notWhole
  const isRead = (name: string) => name === 'family' || name === 'db'
  return [...new URL(text).searchParams.keys()].every(isRead) ? undefined : 'must have no parameters but family and db'
}

/** Whether its credentials can be decoded, and end where they were meant to: cut off by one of their characters, it leads to another server. */
function isWhole(text: string): boolean {
  const { username, password, pathname, search, hash } = new URL(text)
  return hash === '' && !`${pathname}${search}`.includes('@') && isDecodable(username) && isDecodable(password)
}

const notWhole = 'must have %, #, ?, / and @ in its user and password percent-encoded: %25, %23, %3F, %2F, %40'

/** What is wrong with a list of origins. As anything but what browsers send in the header Origin, one would never match. */
export function originsFault(list: readonly string[]): string | undefined {
  const [fault] = list.length === 1 && list[0] === '*' ? [] : list.filter((text) => originIn(text) !== text)
  if (fault === undefined) return undefined
  const origin = originIn(fault)
  const hint = origin === null ? '' : `: write ${origin}`
  return `must be * alone, or origins as https://shop.example with commas between them; ${fault} never matches${hint}`
}

function originIn(text: string): string | null {
  if (text === 'null') return text
  if (!URL.canParse(text)) return null
  const { protocol, host } = new URL(text)
  const isOfPages = host !== '' && !host.includes('*') && protocol !== 'ws:' && protocol !== 'wss:'
  return isOfPages ? `${protocol}//${host}` : null
}
