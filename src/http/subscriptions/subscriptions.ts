import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
  parse,
  specifiedRules,
  validate,
} from 'graphql'
import { parseOptions, validationOptions, validationRules } from '../../graphql/document-limits.js'
import { countNodes, dropTokens } from '../../graphql/document-store.js'
import {
  createErrorFormatter,
  type ErrorCode,
  isPublic,
  type OperationalError,
  rateLimited,
  rootCause,
  withCode,
} from '../../graphql/errors.js'
import { StreamEndedError } from '../../platform/live/stream.js'
import type { ErrorMetrics } from '../../platform/metrics/error-metrics.js'
import type { SubscriptionMetrics } from '../../platform/metrics/subscription-metrics.js'
import type { DocumentRequest, Documents } from '../documents/documents.js'
import type { Origins } from '../headers/origin.js'
import { pointsOfDocument, refusedPoints } from '../limits/costs.js'
import { type CostLimits, consume } from '../limits/limit-cost.js'
import type { AdmissionController } from '../overload/admission-control.js'
import { RequestScheduler } from '../overload/request-scheduler.js'
import type { LiveConnections } from './live-connections.js'
import { SharedSubscription } from './shared-subscription.js'
import type { FormattedResult, ResultStream, Subscriber } from './subscriber.js'

export interface SubscriptionsOptions {
  schema: GraphQLSchema
  describeOperationalError: (error: unknown) => OperationalError | null
  documents: Documents
  costLimits: CostLimits
  metrics: SubscriptionMetrics
  errors: ErrorMetrics
  introspection: boolean
  connections: LiveConnections
  /** Maximum number of events queued for a slow subscriber. If more are queued, the subscriber's stream fails. */
  maxQueuedEvents: number
  logger: FastifyBaseLogger
  now: () => number
}

export interface SubscriptionRequest extends DocumentRequest {
  /** Size of the request in bytes. Parts of the request stay in memory as long as the subscription. */
  bytes: number
  operationName: string | undefined
  variables: Record<string, unknown> | undefined
}

/** Options that event streams and WebSockets have in common */
export interface TransportOptions {
  path: string
  subscriptions: Subscriptions
  connections: LiveConnections
  /** Returns the network address of a client, because the number of connections is limited per address. */
  addressOf: (request: IncomingMessage) => string
  origins: Origins
  createSubscriber: CreateSubscriber
  admission: AdmissionController
  /** How often the server checks whether the client is still connected and reading */
  heartbeatMs: number
}

/** Creates the subscriber of a request. Rejects with authentication errors. */
export type CreateSubscriber = (
  request: IncomingMessage,
  requestId: string,
  authorization: string | undefined,
) => Promise<Subscriber>

export type Subscribed =
  | { state: 'streaming'; args: ExecutionArgs; results: ResultStream }
  | { state: 'refused'; errors: readonly GraphQLError[] }

/** Runs subscriptions, independently of the transport. */
export class Subscriptions {
  private readonly sharedByKey = new Map<string, SharedSubscription>()
  private readonly scheduler = new RequestScheduler({
    targetIterationMs,
    maxQueued: Number.POSITIVE_INFINITY,
    now: () => performance.now(),
  })
  private readonly formatError: ReturnType<typeof createErrorFormatter>

  constructor(private readonly options: SubscriptionsOptions) {
    this.formatError = createErrorFormatter({
      describeOperationalError: options.describeOperationalError,
      suggestsNames: options.introspection,
    })
  }

  async subscribe(request: SubscriptionRequest, subscriber: Subscriber): Promise<Subscribed> {
    try {
      await this.checkBudget(subscriber)
      const query = this.documentOf(request)
      const key = keyOf(query, request, subscriber)
      const existing = this.sharedByKey.get(key)
      const prepared = existing
        ? { state: 'prepared' as const, options: existing.options }
        : this.prepare(query, request, key, subscriber)
      if (prepared.state === 'refused') return prepared
      const { options } = prepared
      consume(this.options.costLimits.budgets, subscriber.client, options.cost)
      const admission = this.options.connections.admitSubscription(subscriber.address, options.bytes)
      if (admission.state === 'refused') throw withCode(admission.code, admission.message)
      const shared = existing ?? this.share(key, new SharedSubscription(options))
      return await this.join(shared, subscriber, admission.release)
    } catch (error) {
      return refused([asGraphQLError(error)])
    }
  }

  /** Formats errors with a code and the request id, and counts them. Masks and logs errors that are not meant for clients. */
  format(errors: readonly GraphQLError[], { requestId }: Pick<Subscriber, 'requestId'>): GraphQLFormattedError[] {
    const formatted = errors.map((error) => {
      if (!isPublic(error)) this.log(error, requestId)
      const { extensions, ...formatted } = this.formatError(error.toJSON(), error)
      // A stream has no HTTP status per event.
      const { http: _, ...others } = extensions ?? {}
      return { ...formatted, extensions: { code: 'BAD_USER_INPUT', ...others, requestId } }
    })
    this.countErrors(formatted.map(({ extensions }) => extensions.code))
    return formatted
  }

  /** Charges a WebSocket message, in addition to the cost of its operation. Returns false if the budget is then used up. */
  chargeMessage(client: string): boolean {
    const { budgets } = this.options.costLimits
    budgets?.charge(client, messagePoints)
    return budgets === null || budgets.remaining(client) > 0
  }

  /** The transports call this for requests that they refuse before subscribe(). */
  countErrors(codes: readonly string[]): void {
    this.options.errors.count(codes)
  }

  /**
   * Charges a refused subscription. Must be called for WebSockets only, because a hook charges refused HTTP requests (see
   * chargeRequestBytesAndRefusals).
   */
  chargeRefusal({ client }: Subscriber): void {
    this.options.costLimits.budgets?.charge(client, refusedPoints)
  }

  private log(error: GraphQLError, requestId: string): void {
    const operationalError = this.options.describeOperationalError(rootCause(error))
    if (operationalError) this.options.logger.warn({ requestId, path: error.path }, error.message)
    else this.options.logger.error({ requestId, path: error.path, err: error.originalError ?? error }, error.message)
  }

  /** Returns the query text. Throws if the document is unknown or not allowed. */
  private documentOf(request: SubscriptionRequest): string {
    const resolved = this.options.documents.resolve(request)
    if (resolved.state === 'refused') throw resolved.error
    if (resolved.state === 'found') return resolved.query
    if (typeof request.query === 'string') return request.query
    throw withCode('BAD_REQUEST', 'The request has no query: send the subscription document as query')
  }

  /** Parses and validates a document, and charges the client for both. */
  private readDocument(query: string, { operationName }: SubscriptionRequest, { client }: Subscriber) {
    let document: DocumentNode
    try {
      document = parse(query, parseOptions)
      dropTokens(document)
    } catch (error) {
      return refused([withDefaultCode(error as GraphQLError, 'GRAPHQL_PARSE_FAILED')])
    }
    const { schema, introspection } = this.options
    const rules = [...specifiedRules, ...validationRules(introspection)]
    this.options.costLimits.budgets?.charge(client, pointsOfDocument(document))
    const errors = validate(schema, document, rules, validationOptions)
    if (errors.length > 0) return refused(errors.map((error) => withDefaultCode(error, 'GRAPHQL_VALIDATION_FAILED')))
    const operation = getOperationAST(document, operationName)
    if (!operation) {
      const message = 'The document has no operation of this name, or it has several operations and operationName is missing'
      return refused([withCode('OPERATION_RESOLUTION_FAILURE', message)])
    }
    if (operation.operation !== 'subscription') {
      const message = `This endpoint accepts subscriptions only: send a ${operation.operation} to /graphql by POST`
      return refused([withCode('SUBSCRIPTIONS_ONLY', message)])
    }
    return { state: 'valid' as const, document, operation }
  }

  /** Throws if the client's budget is used up. Must run before the document is parsed, because parsing takes CPU time. */
  private async checkBudget({ client }: Subscriber): Promise<void> {
    const { budgets } = this.options.costLimits
    await budgets?.ensureSynced(client)
    const seconds = budgets?.secondsToWait(client) ?? 0
    if (seconds > 0) throw rateLimited(seconds)
  }

  private prepare(query: string, request: SubscriptionRequest, key: string, subscriber: Subscriber) {
    const read = this.readDocument(query, request, subscriber)
    if (read.state === 'refused') return read
    const { document, operation } = read
    const { schema, costLimits, metrics, maxQueuedEvents, describeOperationalError } = this.options
    const { operationName, variables = {} } = request
    const cost = costLimits.costs.of(document, operation, variables)
    costLimits.costs.check(cost)
    const options = {
      args: { schema, document, operationName, variableValues: variables },
      bytes: request.bytes * keptBytesPerByte + countNodes(document) * keptBytesPerNode,
      cost,
      schedule: (client: string) => this.schedule(client),
      isOutage: (error: Error) => describeOperationalError(error) !== null,
      format: ({ data, errors }: ExecutionResult, subscriber: Subscriber): FormattedResult => ({
        ...(data !== undefined && { data }),
        ...(errors && { errors: this.format(errors, subscriber) }),
      }),
      onResult: ({ errors }: FormattedResult) => {
        metrics.events[errors ? 'errors' : 'ok'] += 1
      },
      maxQueued: maxQueuedEvents,
      onEnd: () => this.sharedByKey.delete(key),
    }
    return { state: 'prepared' as const, options }
  }

  private share(key: string, shared: SharedSubscription): SharedSubscription {
    this.sharedByKey.set(key, shared)
    return shared
  }

  private async join(shared: SharedSubscription, subscriber: Subscriber, release: () => void): Promise<Subscribed> {
    const { metrics } = this.options
    const member = shared.join(subscriber, () => {
      metrics.open -= 1
      clearTimeout(expiry)
      release()
    })
    metrics.open += 1
    const expiry = this.setTimer(subscriber.expiresAtMs, () => member.fail(new StreamEndedError('token expired')))
    try {
      const errors = await shared.ensureStarted()
      if (errors.length === 0) return { state: 'streaming', args: shared.options.args, results: member }
      await member.return()
      return refused(errors)
    } catch (error) {
      await member.return()
      throw error
    }
  }

  private schedule(client: string): Promise<void> {
    return new Promise((resolve) => {
      this.scheduler.schedule(client, () => {
        resolve()
        return true
      })
    })
  }

  private setTimer(timeMs: number, work: () => void): NodeJS.Timeout | undefined {
    if (timeMs === Number.POSITIVE_INFINITY) return undefined
    return setTimeout(work, Math.min(timeMs - this.options.now(), maxTimeoutMs)).unref()
  }
}

/**
 * Returns the same key for equal subscriptions of equal viewers. The key is a hash, because documents and variables may be large.
 */
function keyOf(query: string, { operationName, variables }: SubscriptionRequest, { viewer }: Subscriber): string {
  return createHash('sha256')
    .update(JSON.stringify([query, operationName, variables, viewer]))
    .digest('base64')
}

/**
 * The following two values are upper estimates of the bytes in memory for each byte of a request and for each node of its
 * document. A byte of a request takes that many because each subscribed id is a topic with a set of subscribers.
 */
const keptBytesPerByte = 20
const keptBytesPerNode = 200
/** Time that events may take in one iteration of the event loop, in milliseconds */
const targetIterationMs = 10
const messagePoints = 1
/** The longest delay that setTimeout supports */
const maxTimeoutMs = 2 ** 31 - 1

function refused(errors: readonly GraphQLError[]) {
  return { state: 'refused' as const, errors }
}

function withDefaultCode(error: GraphQLError, code: ErrorCode): GraphQLError {
  error.extensions.code ??= code
  return error
}

function asGraphQLError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error
  return new GraphQLError('The subscription failed', { originalError: error instanceof Error ? error : new Error(String(error)) })
}
