import { isIPv4 } from 'node:net'
import type { CorsOrigins } from './origin.js'

/** Whether a URL can be built of it. */
export function isHost(host: string | undefined): host is string {
  return isPlainHost(host) || (!!host && URL.canParse(`http://${host}/`))
}

/** One that is good without a closer look: a name or an IPv4 address, with or without a port */
export function isPlainHost(host: string | undefined): host is string {
  return host !== undefined && plainHost.test(host)
}

const plainHost = /^(?:[a-z][a-z\d-]{0,62}(?:\.[a-z][a-z\d-]{0,62})*|127\.0\.0\.1)(?::[1-5]?\d{1,4})?$/

/**
 * Which names a server answers to. One that trusts whoever reaches it must not answer to a name that somebody else can point at it: a page
 * of that name would be of its own origin (DNS rebinding). Addresses, names without a dot and those of reserved domains are in no public DNS.
 */
export class Hosts {
  private lastAllowed: string | undefined
  private readonly answersToAll: boolean
  private readonly named: ReadonlySet<string>

  /** `origins` are of pages that may read what the server answers: their hosts are no danger to it. */
  constructor(isOpen: boolean, origins: CorsOrigins) {
    this.answersToAll = !isOpen || origins === '*'
    const urls = origins === '*' ? [] : origins.filter((origin) => URL.canParse(origin))
    this.named = new Set(urls.map((origin) => new URL(origin).hostname))
  }

  /** For what isHost takes for one */
  allows(host: string): boolean {
    if (this.answersToAll || host === this.lastAllowed) return true
    const { hostname } = new URL(`http://${host}/`)
    if (!isPrivate(hostname) && !this.named.has(hostname)) return false
    this.lastAllowed = host
    return true
  }
}

function isPrivate(hostname: string): boolean {
  const labels = hostname.replace(/\.$/, '').split('.')
  return hostname.startsWith('[') || isIPv4(hostname) || labels.length === 1 || reservedDomains.has(labels.at(-1) as string)
}

export const strangeHost =
  'This server is open to everybody, so it answers to addresses and private names only; CORS_ORIGINS can name others'
/** By RFC 6761 and 6762, and by ICANN */
const reservedDomains = new Set(['localhost', 'local', 'internal', 'test'])
