import { setTimeout as sleep } from 'node:timers/promises'
import { type AuditReport, audit } from 'cached-resolvers'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import type { Config } from './config.js'
import { createSchema } from './graphql/schema.js'
import { Deadlines } from './http/overload/deadlines.js'
import { createLogger } from './platform/log/logger.js'
import { contentType, Exposition } from './platform/metrics/exposition.js'
import { metricFamilies } from './platform/metrics/metric-families.js'
import { startExpiringKeys } from './shop/orders/idempotency-keys.js'
import { auditOptions, startAudits } from './wiring/audits.js'
import { monotonic } from './wiring/clock.js'
import { createDocuments, readTrustedDocuments } from './wiring/documents.js'
import { listenError } from './wiring/listen-address.js'
import { startLive } from './wiring/live.js'
import type { AppObservers } from './wiring/observers.js'
import { ResourceStack } from './wiring/resource-stack.js'
import { createLoadShedder, createServer } from './wiring/server.js'
import { createDashboard, startStores } from './wiring/stores.js'
import { startTracing } from './wiring/tracing.js'

export interface App {
  /** URL of the GraphQL endpoint */
  url: string
  stop(): Promise<void>
}

/**
 * Starts everything that the configuration requires. stop() stops the started resources in reverse order. If the start fails, the
 * resources that were already started are stopped.
 */
export async function startApp(config: Config, observers: AppObservers = {}): Promise<App> {
  const resources = new ResourceStack()
  try {
    const schema = createSchema()
    const tracing = await startTracing(config, resources)
    const logger = createLogger(config, tracing && (() => tracing.logFields()))
    const trusted = await readTrustedDocuments(config, schema)
    const stores = await startStores({ config, logger, resources, observers, tracing })
    const { maintenance, cache, relay } = stores
    const { runsRelay = true } = observers
    const dashboard = createDashboard(config, logger, stores)
    dashboard.start()
    resources.push(() => dashboard.stop())
    if (runsRelay) await relay.start()
    resources.push(() => relay.stop())
    const expiringKeys = startExpiringKeys(stores.feed, (message) => logger.warn(message))
    resources.push(() => expiringKeys.stop())
    if (config.AUDIT_INTERVAL_MS > 0) startAudits(config, logger, resources, cache, maintenance)

    const draining = new AbortController()
    const live = await startLive(logger, resources, stores)
    const deadlines = new Deadlines({ timeoutMs: config.REQUEST_TIMEOUT_MS, now: monotonic })
    deadlines.start()
    resources.push(async () => deadlines.stop())
    const loadShedder = createLoadShedder(config)
    loadShedder.start()
    resources.push(async () => loadShedder.stop())
    const exposition = new Exposition(metricFamilies(stores.metrics), observers.siblings ?? null)
    const documents = createDocuments(config, trusted, stores.store)
    const { budgets } = stores
    const budgetsTimer = setInterval(() => void budgets?.sync(), budgetsIntervalMs)
    resources.push(async () => clearInterval(budgetsTimer))
    const server = await createServer({
      config,
      logger,
      schema,
      documents,
      stores,
      live,
      deadlines,
      loadShedder,
      drainSignal: draining.signal,
      routes: {
        readMetrics: () => exposition.text(),
        metricsContentType: contentType,
        readDashboard: (after) => dashboard.read(after),
      },
    })
    resources.push(() => closeServer(server))
    const address = await server.listen({ port: config.PORT, host: config.HOST }).catch(async (error) => {
      throw await listenError(config, error)
    })
    resources.push(() => drain(draining, config.SHUTDOWN_DELAY_MS))
    return { url: `${address}/graphql`, stop: () => resources.stop() }
  } catch (error) {
    // An error of the cleanup must not replace the error that made the start fail.
    await resources.stop().catch(() => undefined)
    throw error
  }
}

/** Runs one audit without starting a server. */
export async function runAudit(config: Config, entries: number): Promise<AuditReport> {
  const resources = new ResourceStack()
  try {
    const logger = pino({ level: 'silent' })
    const { maintenance, cache } = await startStores({ config, logger, resources, observers: {}, tracing: undefined })
    if (!cache.trusted) throw new Error(`The cache cannot be used: ${cache.distrustReason}`)
    return await audit(auditOptions(cache, maintenance), entries)
  } finally {
    await resources.stop()
  }
}

/**
 * Makes the health check report the shutdown, and waits so that load balancers can stop sending requests. Requests are still
 * served.
 */
async function drain(draining: AbortController, delayMs: number): Promise<void> {
  draining.abort()
  await sleep(delayMs)
}

/** Waits for the requests in flight. Closes the connections that are still open after closeTimeoutMs. */
async function closeServer(server: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => server.server.closeAllConnections(), closeTimeoutMs)
  await server.close()
  clearTimeout(timer)
}

const budgetsIntervalMs = 1_000
const closeTimeoutMs = 5_000
