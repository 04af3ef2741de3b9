import type { IncomingHttpHeaders } from 'node:http'

/** Whose pages may read answers: all, or those of these origins */
export type CorsOrigins = '*' | readonly string[]

/** Browsers open streams for pages of any origin, and leave it to the server to refuse: here, all that CORS would not let read them. */
export function isAllowedOrigin(headers: IncomingHttpHeaders, allowed: CorsOrigins): boolean {
  const { origin, host, 'sec-fetch-site': site } = headers
  if (allowed === '*') return true
  if (origin === undefined) return site !== 'cross-site' && site !== 'same-site'
  return allowed.includes(origin) || (URL.canParse(origin) && new URL(origin).host === host)
}

export const foreignOrigin = 'Pages of this origin may not subscribe; CORS_ORIGINS names those that may'
