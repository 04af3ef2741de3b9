import { isIPv4 } from 'node:net'
import type { CorsOrigins } from './origin.js'

/** Whether a Host header is valid, so that a URL can be built from it */
export function isHost(host: string | undefined): host is string {
  return isPlainHost(host) || (!!host && URL.canParse(`http://${host}/`))
}

/** A cheap check that accepts usual hosts only: a name or 127.0.0.1, with or without a port */
export function isPlainHost(host: string | undefined): host is string {
  return host !== undefined && plainHost.test(host)
}

const plainHost = /^(?:[a-z][a-z\d-]{0,62}(?:\.[a-z][a-z\d-]{0,62})*|127\.0\.0\.1)(?::[1-5]?\d{1,4})?$/

/**
 * Decides which host names the server accepts in the Host header, as a protection against DNS rebinding. A server without
 * authentication must not accept public names: an attacker can point a public name at the server, and pages under that name would
 * then have the same origin as the server. IP addresses, names without a dot and names in reserved domains cannot be in the
 * public DNS.
 */
export class Hosts {
  private lastAllowed: string | undefined
  private readonly allowsAll: boolean
  private readonly allowedHostnames: ReadonlySet<string>

  /** The hosts of `origins` are accepted as well, because pages of these origins may read responses anyway. */
  constructor(hasAuthentication: boolean, origins: CorsOrigins) {
    this.allowsAll = hasAuthentication || origins === '*'
    const urls = origins === '*' ? [] : origins.filter((origin) => URL.canParse(origin))
    this.allowedHostnames = new Set(urls.map((origin) => new URL(origin).hostname))
  }

  /** `host` must be valid according to isHost(). */
  allows(host: string): boolean {
    if (this.allowsAll || host === this.lastAllowed) return true
    const { hostname } = new URL(`http://${host}/`)
    if (!isPrivate(hostname) && !this.allowedHostnames.has(hostname)) return false
    this.lastAllowed = host
    return true
  }
}

function isPrivate(hostname: string): boolean {
  const labels = hostname.replace(/\.$/, '').split('.')
  return hostname.startsWith('[') || isIPv4(hostname) || labels.length === 1 || reservedDomains.has(labels.at(-1) as string)
}

export const hostNotAllowed =
  'This server has no authentication, so it accepts only IP addresses and private host names; CORS_ORIGINS can allow others'
/** Reserved by RFC 6761, RFC 6762 and ICANN */
const reservedDomains = new Set(['localhost', 'local', 'internal', 'test'])
