import type { IncomingHttpHeaders } from 'node:http'

/** What a request may ask for beyond its answer. */
export interface Wishes {
  /** To be told where its data came from */
  origins: boolean
  /** That the cache be neither read nor filled for it */
  pastCache: boolean
}

export const noWishes: Wishes = { origins: false, pastCache: false }

export function wishesOf(headers: IncomingHttpHeaders): Wishes {
  if (!hasWishes(headers)) return noWishes
  const directives = headers['cache-control']?.toLowerCase().split(',') ?? []
  return {
    origins: headers[originsHeader] === '1' || headers[originsHeader] === 'true',
    pastCache: directives.some((directive) => directive.trim() === 'no-cache'),
  }
}

export function hasWishes(headers: IncomingHttpHeaders): boolean {
  return headers['cache-control'] !== undefined || headers[originsHeader] !== undefined
}

const originsHeader = 'x-cache-report'
