import type { IncomingHttpHeaders } from 'node:http'

/** Origins whose pages may read responses; '*' means all origins */
export type CorsOrigins = '*' | readonly string[]

export interface OriginsOptions {
  listed: CorsOrigins
  /** Whether pages that are served from the user's own machine may read responses too, as frontends in development are */
  allowsLoopback: boolean
  /** Without authentication, everybody who reaches the server may do everything. */
  hasAuthentication: boolean
}

/** A page that may read responses, or a program; a page that may not; or not known, because the request reveals nothing */
type Sender = 'allowed' | 'foreign' | 'unknown'

/** Decides which pages may read responses, subscribe, and query by GET, by the headers that browsers send and pages cannot set. */
export class Origins {
  /** The allowed origins, as @fastify/cors expects them */
  readonly patterns: '*' | (string | RegExp)[]

  constructor(private readonly options: OriginsOptions) {
    const { listed, allowsLoopback } = options
    this.patterns = listed === '*' ? '*' : [...listed, ...(allowsLoopback ? [loopback] : [])]
  }

  /**
   * Whether a page of the request's origin may subscribe. Browsers do not apply CORS to WebSockets, so the server itself must
   * refuse origins that are not allowed.
   */
  maySubscribe(headers: IncomingHttpHeaders): boolean {
    return this.senderOf(headers) !== 'foreign'
  }

  /**
   * Whether a query by GET may be executed although any page could have sent it without a preflight. A page in a browser inside a
   * private network could otherwise make a server without authentication work for it, and measure how long each answer takes.
   */
  mayQueryByGet(headers: IncomingHttpHeaders): boolean {
    const sender = this.senderOf(headers)
    return sender === 'allowed' || (sender === 'unknown' && this.options.hasAuthentication)
  }

  /** Whether a page sent the request that cannot read the response, because its origin is not allowed. */
  cannotReadResponse(headers: IncomingHttpHeaders): boolean {
    const { origin, 'sec-fetch-site': site } = headers
    return origin !== undefined && site !== 'same-origin' && this.senderOf(headers) === 'foreign'
  }

  /**
   * Browsers send Origin with every request whose response a page of another origin could read. Without Origin, Sec-Fetch-Site
   * distinguishes pages of this server from images and scripts in pages of others; browsers omit it if the server is reached over
   * plain HTTP, except on the own machine. Sec-Fetch-Mode without Sec-Fetch-Site is sent by fetch() of Node.
   */
  private senderOf({ origin, host, 'sec-fetch-site': site, 'sec-fetch-mode': mode }: IncomingHttpHeaders): Sender {
    if (this.patterns === '*') return 'allowed'
    if (origin !== undefined) return matches(this.patterns, origin) || isSameHost(origin, host) ? 'allowed' : 'foreign'
    if (site === 'cross-site' || site === 'same-site') return 'foreign'
    return site !== undefined || mode === 'cors' ? 'allowed' : 'unknown'
  }
}

function matches(patterns: readonly (string | RegExp)[], origin: string): boolean {
  return patterns.some((pattern) => (typeof pattern === 'string' ? pattern === origin : pattern.test(origin)))
}

/** Whether the page has the host of the request, so that it is probably a page of this server. */
function isSameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host
}

/**
 * Only the user's own machine serves pages of these origins: browsers resolve names below `localhost` without the DNS, and the
 * public DNS has no such names. So an attacker cannot obtain such an origin by DNS rebinding.
 */
const loopback = /^https?:\/\/(?:(?:[a-z\d_-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/

export const originNotAllowed = 'Pages of this origin may not subscribe; add it to CORS_ORIGINS to allow them'
