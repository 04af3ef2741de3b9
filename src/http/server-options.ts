import type { SharedValueMemo } from 'cached-resolvers/compiled-queries'
import type { FastifyBaseLogger } from 'fastify'
import type { GraphQLSchema } from 'graphql'
import type { Context } from '../graphql/context.js'
import type { OperationalError } from '../graphql/errors.js'
import type { Authenticator } from '../platform/auth/authenticator.js'
import type { ErrorMetrics } from '../platform/metrics/error-metrics.js'
import type { RequestMetrics } from '../platform/metrics/request-metrics.js'
import type { SubscriptionMetrics } from '../platform/metrics/subscription-metrics.js'
import type { Tracing } from '../platform/tracing/tracing.js'
import type { SlowReaders } from './connections/slow-readers.js'
import type { Documents } from './documents/documents.js'
import type { Hosts } from './headers/host.js'
import type { Origins } from './headers/origin.js'
import type { HealthReport } from './health/health.js'
import type { MetricsRoutes } from './health/metrics-routes.js'
import type { Budgets } from './limits/budgets.js'
import type { RefusedOrigins } from './observing/refused-origins.js'
import type { RequestLogOptions } from './observing/request-log.js'
import type { LoadShedder } from './overload/load-shedder.js'
import type { RequestInfo } from './request-info.js'

export interface HttpServerOptions {
  schema: GraphQLSchema
  documents: Documents
  createContext: (request: RequestInfo) => Context
  /** Memoizes data on values that requests share */
  memo: SharedValueMemo
  authenticator: Authenticator
  hosts: Hosts
  checkHealth: () => Promise<HealthReport>
  /**
   * Aborted when the process shuts down. /readyz then reports that the process is draining, and each connection is closed after
   * its response.
   */
  drainSignal: AbortSignal
  /** Describes operational errors such as an outage or overload; returns null for all other errors, which are bugs. */
  describeOperationalError: (error: unknown) => OperationalError | null
  requests: RequestMetrics
  errors: ErrorMetrics
  subscriptions: SubscriptionMetrics
  metricsRoutes: MetricsRoutes
  origins: Origins
  refusedOrigins: RefusedOrigins
  /** Maximum number of subscribers' connections; the number of subscriptions has the same limit */
  maxLiveConnections: number
  maxLiveConnectionsPerAddress: number
  /** Maximum number of events queued for a slow subscriber. If more are queued, the subscriber's stream fails. */
  maxQueuedEvents: number
  /** How often subscribers' connections are checked */
  heartbeatMs: number
  loadShedder: LoadShedder
  slowReaders: SlowReaders
  /** Time limit for receiving a complete request. Slower requests are refused. */
  receiveTimeoutMs: number
  maxOpenConnections: number
  limits: Limits
  /** Whether clients may query the schema, and whether explorers are served */
  introspection: boolean
  logger: FastifyBaseLogger
  requestLog: Pick<RequestLogOptions, 'mode' | 'slowMs'>
  /** undefined if tracing is off */
  tracing: Tracing | undefined
}

interface Limits {
  /** The most points that one request may cost */
  maxCost: number
  /** null if usage is not limited */
  budgets: Budgets | null
  /** Number of reverse proxies that append to X-Forwarded-For */
  trustedProxies: number
}
