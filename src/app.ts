import { setTimeout as sleep } from 'node:timers/promises'
import { type AuditReport, audit } from 'cached-resolvers'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { type Config, ConfigError } from './config.js'
import { createSchema } from './graphql/schema.js'
import { Deadlines } from './http/overload/deadlines.js'
import { createLogger } from './platform/log/logger.js'
import { contentType, Exposition } from './platform/metrics/exposition.js'
import { families } from './platform/metrics/families.js'
import { startExpiringKeys } from './shop/orders/idempotency-keys.js'
import { auditOptions, startAudits } from './wiring/audits.js'
import { monotonic } from './wiring/clock.js'
import { messageOf } from './wiring/database.js'
import { createDocuments, readTrustedDocuments } from './wiring/documents.js'
import { startLive } from './wiring/live.js'
import type { AppObservers } from './wiring/observers.js'
import { createLoad, createServer } from './wiring/server.js'
import { Started } from './wiring/started.js'
import { createDashboard, startStores } from './wiring/stores.js'
import { startTracing } from './wiring/tracing.js'

export interface App {
  /** Of the GraphQL endpoint */
  url: string
  stop(): Promise<void>
}

/** Starts everything that the configuration asks for, in order; stop() undoes it in reverse. A start that fails leaves nothing running. */
export async function startApp(config: Config, observers: AppObservers = {}): Promise<App> {
  const started = new Started()
  try {
    const schema = createSchema()
    const tracing = await startTracing(config, started)
    const logger = createLogger(config, tracing && (() => tracing.logFields()))
    const trusted = await readTrustedDocuments(config, schema)
    const stores = await startStores({ config, logger, started, observers, tracing })
    const { database, cache, relay } = stores
    const dashboard = createDashboard(config, stores)
    dashboard.start()
    started.push(() => dashboard.stop())
    if (!observers.withoutRelay) await relay.start()
    started.push(() => relay.stop())
    const expiringKeys = startExpiringKeys(stores.feed, (message) => logger.warn(message))
    started.push(() => expiringKeys.stop())
    if (config.AUDIT_INTERVAL_MS > 0) startAudits(config, logger, started, cache, database)

    const leaving = new AbortController()
    const live = await startLive(logger, started, stores)
    const deadlines = new Deadlines({ timeoutMs: config.REQUEST_TIMEOUT_MS, now: monotonic })
    deadlines.start()
    started.push(async () => deadlines.stop())
    const load = createLoad(config)
    load.start()
    started.push(async () => load.stop())
    const exposition = new Exposition(families(stores.figures), observers.siblings ?? null)
    const documents = createDocuments(config, trusted, stores.store)
    const { budgets } = stores
    const budgetsTimer = setInterval(() => void budgets?.tell(), budgetsIntervalMs)
    started.push(async () => clearInterval(budgetsTimer))
    const server = await createServer({
      ...{ config, logger, schema, documents, stores, live, deadlines, load, leaving: leaving.signal },
      routes: {
        readMetrics: () => exposition.text(),
        metricsContentType: contentType,
        readDashboard: (after) => dashboard.read(after),
      },
    })
    started.push(() => closeServer(server))
    const address = await server.listen({ port: config.PORT, host: config.HOST }).catch((error) => {
      throw new ConfigError([`HOST and PORT name an address that cannot be listened on: ${messageOf(error)}`])
    })
    started.push(() => leave(leaving, config.SHUTDOWN_DELAY_MS))
    return { url: `${address}/graphql`, stop: () => started.stop() }
  } catch (error) {
    // The first fault is the one to tell of.
    await started.stop().catch(() => undefined)
    throw error
  }
}

/** One audit, without serving anything. */
export async function runAudit(config: Config, entries: number): Promise<AuditReport> {
  const started = new Started()
  try {
    const logger = pino({ level: 'silent' })
    const { database, cache } = await startStores({ config, logger, started, observers: {}, tracing: undefined })
    if (!cache.trusted) throw new Error(`The cache cannot be used: ${cache.distrustReason}`)
    return await audit(auditOptions(cache, database), entries)
  } finally {
    await started.stop()
  }
}

/** Says that it will go, and serves on for as long as whoever sends requests here may need to hear of it. */
async function leave(leaving: AbortController, delayMs: number): Promise<void> {
  leaving.abort()
  await sleep(delayMs)
}

/** Requests in flight get their answer; who is not done by then is cut off. */
async function closeServer(server: FastifyInstance): Promise<void> {
  const cutOff = setTimeout(() => server.server.closeAllConnections(), drainMs)
  await server.close()
  clearTimeout(cutOff)
}

const budgetsIntervalMs = 1_000
const drainMs = 5_000
