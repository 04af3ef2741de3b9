import type { IncomingHttpHeaders } from 'node:http'

/** Origins whose pages may read responses; '*' means all origins */
export type CorsOrigins = '*' | readonly string[]

/**
 * Whether a page of the request's origin may subscribe. Browsers do not apply CORS to WebSockets, so the server itself must refuse
 * origins that are not allowed.
 */
export function isAllowedOrigin(headers: IncomingHttpHeaders, allowed: CorsOrigins): boolean {
  const { origin, host, 'sec-fetch-site': site } = headers
  if (allowed === '*') return true
  if (origin === undefined) return site !== 'cross-site' && site !== 'same-site'
  return allowed.includes(origin) || (URL.canParse(origin) && new URL(origin).host === host)
}

export const originNotAllowed = 'Pages of this origin may not subscribe; add it to CORS_ORIGINS to allow them'
