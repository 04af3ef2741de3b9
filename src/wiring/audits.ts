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

/** Periodically audits a few entries. Wrong ones are repaired, counted and logged; the totals are logged at longer intervals. */
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
          for (const entry of wrong) logger.error(entry, 'an entry of the cache differed from the database')
          totals = { audits: totals.audits + 1, audited: totals.audited + audited, wrong: totals.wrong + wrong.length }
          if (totals.audits % auditsPerReport === 0)
            logger.info(totals, 'entries audited since the start, and how many of them were wrong')
        },
        (error) => logger.warn(`audit: ${messageOf(error)}`),
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
/** Once per hour with the default interval */
const auditsPerReport = 360
/** Twice the maximum time for a change to reach the cache, see the README */
const auditMaxStalenessMs = 2_000
