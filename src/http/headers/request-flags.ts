import type { IncomingHttpHeaders } from 'node:http'
import type { Viewer } from '../../platform/auth/viewer.js'

/** Options that a client sets with request headers */
export interface RequestFlags {
  /** Report where the data came from: X-Cache-Report */
  cacheReport: boolean
  /** Neither read nor fill the cache: Cache-Control: no-cache */
  bypassCache: boolean
}

export const noFlags: RequestFlags = { cacheReport: false, bypassCache: false }

/**
 * Returns the flags of an administrator's request, and noFlags for all other viewers, because a cache report can reveal which
 * rows exist, and bypassing the cache loads the database.
 */
export function requestFlagsOf(headers: IncomingHttpHeaders, viewer: Viewer): RequestFlags {
  if (viewer.role !== 'admin' || !hasFlags(headers)) return noFlags
  const directives = headers['cache-control']?.toLowerCase().split(',') ?? []
  return {
    cacheReport: headers[cacheReportHeader] === '1' || headers[cacheReportHeader] === 'true',
    bypassCache: directives.some((directive) => directive.trim() === 'no-cache'),
  }
}

/** Whether any of the headers is set, whoever sent the request */
export function hasFlags(headers: IncomingHttpHeaders): boolean {
  return (
    headers['cache-control'] !== undefined || headers[cacheReportHeader] !== undefined || headers[costReportHeader] !== undefined
  )
}

/** See limit-cost.ts */
export const costReportHeader = 'x-cost-report'
const cacheReportHeader = 'x-cache-report'
