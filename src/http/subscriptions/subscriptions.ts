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
  type Fault,
  isPublic,
  rateLimited,
  rootOf,
  withCode,
} from '../../graphql/errors.js'
import { StreamEndedError } from '../../platform/live/stream.js'
import type { ErrorFigures } from '../../platform/metrics/error-figures.js'
import type { SubscriptionFigures } from '../../platform/metrics/subscription-figures.js'
import type { DocumentRequest, Documents } from '../documents/documents.js'
import type { CorsOrigins } from '../headers/origin.js'
import { pointsOfDocument, refusedPoints } from '../limits/costs.js'
import { type CostLimits, take } from '../limits/limit-cost.js'
import type { Shedder } from '../overload/shed.js'
import { Turns } from '../overload/turns.js'
import type { LiveConnections } from './live-connections.js'
import { SharedSubscription } from './shared-subscription.js'
import type { Answer, Answers, Subscriber } from './subscriber.js'

export interface SubscriptionsOptions {
  schema: GraphQLSchema
  describeFault: (error: unknown) => Fault | null
  documents: Documents
  costLimits: CostLimits
  figures: SubscriptionFigures
  errors: ErrorFigures
  tellsSchema: boolean
  connections: LiveConnections
  /** So many events wait for a slow reader; with more, its stream fails. */
  maxWaitingEvents: number
  logger: FastifyBaseLogger
  now: () => number
}

export interface SubscriptionRequest extends DocumentRequest {
  /** Its length as it came: it may be kept as long as the subscription */
  bytes: number
  operationName: string | undefined
  variables: Record<string, unknown> | undefined
}

/** What every carrier of subscriptions needs. */
export interface CarrierOptions {
  path: string
  subscriptions: Subscriptions
  connections: LiveConnections
  /** Whose connections are counted together */
  addressOf: (request: IncomingMessage) => string
  corsOrigins: CorsOrigins
  createSubscriber: CreateSubscriber
  shedder: Shedder
  /** How often it is looked whether a peer is still there */
  heartbeatMs: number
}

/** Rejects with the faults of authentication. */
export type CreateSubscriber = (
  request: IncomingMessage,
  requestId: string,
  authorization: string | undefined,
) => Promise<Subscriber>

export type Subscribed =
  | { state: 'streaming'; args: ExecutionArgs; answers: Answers }
  | { state: 'refused'; errors: readonly GraphQLError[] }

/** Runs subscriptions, whatever they are carried by. */
export class Subscriptions {
  private readonly shared = new Map<string, SharedSubscription>()
  private readonly turns = new Turns({
    longMs: longTurnMs,
    maxWaiting: Number.POSITIVE_INFINITY,
    now: () => performance.now(),
  })
  private readonly formatError: ReturnType<typeof createErrorFormatter>

  constructor(private readonly options: SubscriptionsOptions) {
    this.formatError = createErrorFormatter({ describeFault: options.describeFault, suggests: options.tellsSchema })
  }

  async subscribe(request: SubscriptionRequest, subscriber: Subscriber): Promise<Subscribed> {
    try {
      await this.checkBudget(subscriber)
      const text = this.documentOf(request)
      const key = keyOf(text, request, subscriber)
      const known = this.shared.get(key)
      const prepared = known ? { state: 'good' as const, options: known.options } : this.prepare(text, request, key, subscriber)
      if (prepared.state === 'refused') return prepared
      const { options } = prepared
      take(this.options.costLimits.budgets, subscriber.client, options.cost)
      const admission = this.options.connections.admitSubscription(subscriber.address, options.bytes)
      if (admission.state === 'refused') throw withCode(admission.code, admission.message)
      const shared = known ?? this.share(key, new SharedSubscription(options))
      return await this.join(shared, subscriber, admission.release)
    } catch (error) {
      return refused([asGraphQLError(error)])
    }
  }

  /** Gives errors their code and the id of the request; masks and logs those that are not for the client. */
  format(errors: readonly GraphQLError[], { requestId }: Pick<Subscriber, 'requestId'>): GraphQLFormattedError[] {
    const formatted = errors.map((error) => {
      if (!isPublic(error)) this.log(error, requestId)
      const { extensions, ...formatted } = this.formatError(error.toJSON(), error)
      // A status has no place in a stream.
      const { http: _, ...others } = extensions ?? {}
      return { ...formatted, extensions: { code: 'BAD_USER_INPUT', ...others, requestId } }
    })
    this.countErrors(formatted.map(({ extensions }) => extensions.code))
    return formatted
  }

  /** Whether anything is left of the client's budget. A message costs a point, and what it asks for comes on top. */
  chargeMessage(client: string): boolean {
    const { budgets } = this.options.costLimits
    budgets?.charge(client, messagePoints)
    return budgets === null || budgets.remaining(client) > 0
  }

  /** Of what was refused before it came here, too */
  countErrors(codes: readonly string[]): void {
    this.options.errors.count(codes)
  }

  /** Where the carrier is no request of HTTP, which is charged as all of them are */
  chargeRefusal({ client }: Subscriber): void {
    this.options.costLimits.budgets?.charge(client, refusedPoints)
  }

  private log(error: GraphQLError, requestId: string): void {
    const fault = this.options.describeFault(rootOf(error))
    if (fault) this.options.logger.warn({ requestId, path: error.path }, error.message)
    else this.options.logger.error({ requestId, path: error.path, err: error.originalError ?? error }, error.message)
  }

  /** Throws where it may not be asked. */
  private documentOf(request: SubscriptionRequest): string {
    const resolved = this.options.documents.resolve(request)
    if (resolved.state === 'refused') throw resolved.error
    if (resolved.state === 'found') return resolved.query
    if (typeof request.query === 'string') return request.query
    throw withCode('BAD_REQUEST', 'There is no query: send the document of a subscription as query')
  }

  private readDocument(query: string, { operationName }: SubscriptionRequest, { client }: Subscriber) {
    let document: DocumentNode
    try {
      document = parse(query, parseOptions)
      dropTokens(document)
    } catch (error) {
      return refused([coded(error as GraphQLError, 'GRAPHQL_PARSE_FAILED')])
    }
    const { schema, tellsSchema } = this.options
    const rules = [...specifiedRules, ...validationRules(tellsSchema)]
    this.options.costLimits.budgets?.charge(client, pointsOfDocument(document))
    const errors = validate(schema, document, rules, validationOptions)
    if (errors.length > 0) return refused(errors.map((error) => coded(error, 'GRAPHQL_VALIDATION_FAILED')))
    const operation = getOperationAST(document, operationName)
    if (!operation) {
      const message = 'There is no operation of that name, or there are several and none was named'
      return refused([withCode('OPERATION_RESOLUTION_FAILURE', message)])
    }
    if (operation.operation !== 'subscription') {
      const message = `Only subscriptions are answered here; send a ${operation.operation} to /graphql by POST`
      return refused([withCode('SUBSCRIPTIONS_ONLY', message)])
    }
    return { state: 'good' as const, document, operation }
  }

  /** Before anything is read of what it asks for. Throws where nothing is left. */
  private async checkBudget({ client }: Subscriber): Promise<void> {
    const { budgets } = this.options.costLimits
    await budgets?.know(client)
    const seconds = budgets?.secondsToWait(client) ?? 0
    if (seconds > 0) throw rateLimited(seconds)
  }

  private prepare(text: string, request: SubscriptionRequest, key: string, subscriber: Subscriber) {
    const read = this.readDocument(text, request, subscriber)
    if (read.state === 'refused') return read
    const { document, operation } = read
    const { schema, costLimits, figures, maxWaitingEvents, describeFault } = this.options
    const { operationName, variables = {} } = request
    const cost = costLimits.costs.of(document, operation, variables)
    costLimits.costs.check(cost)
    const options = {
      args: { schema, document, operationName, variableValues: variables },
      bytes: request.bytes * bytesOfByte + countNodes(document) * bytesOfNode,
      cost,
      turn: (client: string) => this.turn(client),
      isOutage: (error: Error) => describeFault(error) !== null,
      format: ({ data, errors }: ExecutionResult, subscriber: Subscriber): Answer => ({
        ...(data !== undefined && { data }),
        ...(errors && { errors: this.format(errors, subscriber) }),
      }),
      onTold: ({ errors }: Answer) => {
        figures.events[errors ? 'errors' : 'ok'] += 1
      },
      maxWaiting: maxWaitingEvents,
      onEnd: () => this.shared.delete(key),
    }
    return { state: 'good' as const, options }
  }

  private share(key: string, shared: SharedSubscription): SharedSubscription {
    this.shared.set(key, shared)
    return shared
  }

  private async join(shared: SharedSubscription, subscriber: Subscriber, release: () => void): Promise<Subscribed> {
    const { figures } = this.options
    const member = shared.join(subscriber, () => {
      figures.open -= 1
      clearTimeout(expiry)
      release()
    })
    figures.open += 1
    const expiry = this.at(subscriber.expiresAtMs, () => member.fail(new StreamEndedError('token expired')))
    try {
      const errors = await shared.started()
      if (errors.length === 0) return { state: 'streaming', args: shared.options.args, answers: member }
      await member.return()
      return refused(errors)
    } catch (error) {
      await member.return()
      throw error
    }
  }

  private turn(client: string): Promise<void> {
    return new Promise((resolve) => {
      this.turns.wait(client, () => {
        resolve()
        return true
      })
    })
  }

  private at(timeMs: number, work: () => void): NodeJS.Timeout | undefined {
    if (timeMs === Number.POSITIVE_INFINITY) return undefined
    return setTimeout(work, Math.min(timeMs - this.options.now(), longestTimeoutMs)).unref()
  }
}

/** What equal subscriptions are known by, at a length that does not depend on theirs: what they ask for, and who sees it. */
function keyOf(text: string, { operationName, variables }: SubscriptionRequest, { viewer }: Subscriber): string {
  return createHash('sha256')
    .update(JSON.stringify([text, operationName, variables, viewer]))
    .digest('base64')
}

/** About what is kept for each byte of a request and each node of its document, from above: ids are topics, each with a set of its own. */
const bytesOfByte = 20
const bytesOfNode = 200
/** Of events and their answers, in a turn of the event loop */
const longTurnMs = 10
const messagePoints = 1
/** That timers know */
const longestTimeoutMs = 2 ** 31 - 1

function refused(errors: readonly GraphQLError[]) {
  return { state: 'refused' as const, errors }
}

function coded(error: GraphQLError, code: ErrorCode): GraphQLError {
  error.extensions.code ??= code
  return error
}

function asGraphQLError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error
  return new GraphQLError('failed', { originalError: error instanceof Error ? error : new Error(String(error)) })
}
