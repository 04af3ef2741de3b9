import type { IncomingHttpHeaders } from 'node:http'

/** Origins whose pages may read responses; '*' means all origins */
export type CorsOrigins = '*' | readonly string[]

export interface OriginsOptions {
  listed: CorsOrigins
  /** Whether pages that are served from the user's own machine may read responses too, as frontends in development are */
  allowsLoopback: boolean
}

/** Decides which pages may read responses and subscribe, by the origin that browsers send. */
export class Origins {
  /** The allowed origins, as @fastify/cors expects them */
  readonly patterns: '*' | (string | RegExp)[]

  constructor({ listed, allowsLoopback }: OriginsOptions) {
    this.patterns = listed === '*' ? '*' : [...listed, ...(allowsLoopback ? [loopback] : [])]
  }

  /**
   * Whether a page of the request's origin may subscribe. Browsers do not apply CORS to WebSockets, so the server itself must
   * refuse origins that are not allowed.
   */
  maySubscribe(headers: IncomingHttpHeaders): boolean {
    const { origin, 'sec-fetch-site': site } = headers
    if (this.patterns === '*') return true
    if (origin === undefined) return site !== 'cross-site' && site !== 'same-site'
    return this.includes(origin) || isSameHost(origin, headers)
  }

  /** Whether the request is of a page that will not get to read the response. */
  isUnreadable(headers: IncomingHttpHeaders): boolean {
    const { origin, 'sec-fetch-site': site } = headers
    if (origin === undefined || site === 'same-origin') return false
    return !this.includes(origin) && !isSameHost(origin, headers)
  }

  private includes(origin: string): boolean {
    if (this.patterns === '*') return true
    return this.patterns.some((pattern) => (typeof pattern === 'string' ? pattern === origin : pattern.test(origin)))
  }
}

/** Whether the page has the host of the request, so that it is probably a page of this server. */
function isSameHost(origin: string, { host }: IncomingHttpHeaders): boolean {
  return URL.canParse(origin) && new URL(origin).host === host
}

/**
 * Only the user's own machine serves pages of these origins: browsers resolve names below `localhost` without the DNS, and the
 * public DNS has no such names. So an attacker cannot obtain such an origin by DNS rebinding.
 */
const loopback = /^https?:\/\/(?:(?:[a-z\d_-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/

export const originNotAllowed = 'Pages of this origin may not subscribe; add it to CORS_ORIGINS to allow them'
