import type { IncomingHttpHeaders } from 'node:http'
import type { Viewer } from '../../platform/auth/viewer.js'

/** What a request may ask for beyond its answer. */
export interface Wishes {
  /** To be told where its data came from */
  origins: boolean
  /** That the cache be neither read nor filled for it */
  pastCache: boolean
}

export const noWishes: Wishes = { origins: false, pastCache: false }

/** Those of administrators only: where data came from tells what there is that others may not know of, and the cache shields the database. */
export function wishesOf(headers: IncomingHttpHeaders, viewer: Viewer): Wishes {
  if (viewer.role !== 'admin' || !hasWishes(headers)) return noWishes
  const directives = headers['cache-control']?.toLowerCase().split(',') ?? []
  return {
    origins: headers[originsHeader] === '1' || headers[originsHeader] === 'true',
    pastCache: directives.some((directive) => directive.trim() === 'no-cache'),
  }
}

export function hasWishes(headers: IncomingHttpHeaders): boolean {
  return headers['cache-control'] !== undefined || headers[originsHeader] !== undefined || headers[costHeader] !== undefined
}

/** See limit-cost.ts */
export const costHeader = 'x-cost-report'
const originsHeader = 'x-cache-report'
