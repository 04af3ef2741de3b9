import { setTimeout as sleep } from 'node:timers/promises'
import { audit, type Cache } from 'cached-resolvers'
import { createRead } from 'cached-resolvers/postgres'
import type { Logger } from 'pino'
import type { Config } from '../config.js'
import { defaultPageSize } from '../graphql/connection.js'
import type { Database } from '../platform/database/connection.js'
import { entities } from '../shop/entities.js'
import { messageOf } from './database.js'
import type { ResourceStack } from './resource-stack.js'

/**
 * Periodically audits a few entries. Wrong entries are invalidated, counted and logged. The totals are logged after every
 * `auditsPerReport` audits.
 */
export function startAudits(config: Config, logger: Logger, resources: ResourceStack, cache: Cache, database: Database): void {
  const options = auditOptions(cache, database)
  let running = Promise.resolve()
  let busy = false
  let totals = { audits: 0, audited: 0, wrong: 0 }
  const timer = setInterval(() => {
    if (busy || !cache.trusted) return
    busy = true
    running = audit(options, entriesPerAudit)
      .then(
        ({ audited, wrong }) => {
          for (const entry of wrong) logger.error(entry, 'A cache entry differed from the database and was invalidated')
          totals = { audits: totals.audits + 1, audited: totals.audited + audited, wrong: totals.wrong + wrong.length }
          if (totals.audits % auditsPerReport === 0) logger.info(totals, 'Audit totals since the start of this process')
        },
        (error) => logger.warn(`Failed to audit the cache: ${messageOf(error)}. Will retry at the next interval`),
      )
      .finally(() => {
        busy = false
      })
  }, config.AUDIT_INTERVAL_MS)
  resources.push(async () => {
    clearInterval(timer)
    await running
  })
}

export function auditOptions(cache: Cache, database: Database) {
  return { cache, entities, read: createRead(database), pageSize: defaultPageSize, maxStalenessMs: auditMaxStalenessMs, sleep }
}

const entriesPerAudit = 20
/** With the default interval, the totals are logged once per hour. */
const auditsPerReport = 360
/** Twice the maximum time until a change in the database reaches the cache, see the README */
const auditMaxStalenessMs = 2_000
