import type { IncomingHttpHeaders } from 'node:http'

/** Origins whose pages may read responses; '*' for all */
export type CorsOrigins = '*' | readonly string[]

/**
 * Whether a page of this origin may open a stream. Browsers do not apply CORS to WebSockets, so the server has to refuse other
 * origins.
 */
export function isAllowedOrigin(headers: IncomingHttpHeaders, allowed: CorsOrigins): boolean {
  const { origin, host, 'sec-fetch-site': site } = headers
  if (allowed === '*') return true
  if (origin === undefined) return site !== 'cross-site' && site !== 'same-site'
  return allowed.includes(origin) || (URL.canParse(origin) && new URL(origin).host === host)
}

export const originNotAllowed = 'Pages of this origin may not subscribe; add it to CORS_ORIGINS to allow them'
