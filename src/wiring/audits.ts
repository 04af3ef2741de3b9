import { setTimeout as sleep } from 'node:timers/promises'
import { audit, type Cache } from 'cached-resolvers'
import { createRead } from 'cached-resolvers/postgres'
import type { Logger } from 'pino'
import type { Config } from '../config.js'
import { defaultPageSize } from '../graphql/connection.js'
import type { Database } from '../platform/database/connection.js'
import { entities } from '../shop/entities.js'
import { messageOf } from './database.js'
import type { Started } from './started.js'

/** A few entries now and then; what is wrong is repaired, counted and logged, and now and then the share of what was right. */
export function startAudits(config: Config, logger: Logger, started: Started, cache: Cache, database: Database): void {
  const options = auditOptions(cache, database)
  let running = Promise.resolve()
  let busy = false
  let sums = { audits: 0, audited: 0, wrong: 0 }
  const timer = setInterval(() => {
    if (busy || !cache.trusted) return
    busy = true
    running = audit(options, entriesPerAudit)
      .then(
        ({ audited, wrong }) => {
          for (const its of wrong) logger.error(its, 'an entry of the cache differed from the database')
          sums = { audits: sums.audits + 1, audited: sums.audited + audited, wrong: sums.wrong + wrong.length }
          if (sums.audits % auditsPerReport === 0) logger.info(sums, 'audited entries since the start, and how many were wrong')
        },
        (error) => logger.warn(`audit: ${messageOf(error)}`),
      )
      .finally(() => {
        busy = false
      })
  }, config.AUDIT_INTERVAL_MS)
  started.push(async () => {
    clearInterval(timer)
    await running
  })
}

export function auditOptions(cache: Cache, database: Database) {
  return { cache, entities, read: createRead(database), pageSize: defaultPageSize, boundMs: auditBoundMs, sleep }
}

const entriesPerAudit = 20
/** An hour's, unless the interval is set */
const auditsPerReport = 360
/** Twice the longest that a change may take to reach the cache, see the README */
const auditBoundMs = 2_000
