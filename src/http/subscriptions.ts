import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
  parse,
  specifiedRules,
  validate,
} from 'graphql'
import type { Context } from '../graphql/context.js'
import { parseOptions, validationOptions, validationRules } from '../graphql/document-limits.js'
import { dropTokens } from '../graphql/document-store.js'
import {
  createErrorFormatter,
  type ErrorCode,
  type Fault,
  GoneError,
  isPublic,
  rateLimited,
  rootOf,
  withCode,
} from '../graphql/errors.js'
import { StreamEndedError } from '../live/stream.js'
import type { ErrorFigures } from '../metrics/error-figures.js'
import type { SubscriptionFigures } from '../metrics/subscription-figures.js'
import { pointsOfDocument, refusedPoints } from './costs.js'
import type { DocumentRequest, Documents } from './documents.js'
import { type CostLimits, take } from './limit-cost.js'
import type { LiveConnections } from './live-connections.js'

export interface SubscriptionsOptions {
  schema: GraphQLSchema
  describeFault: (error: unknown) => Fault | null
  documents: Documents
  costLimits: CostLimits
  figures: SubscriptionFigures
  errors: ErrorFigures
  tellsSchema: boolean
  logger: FastifyBaseLogger
  now: () => number
}

export interface SubscriptionRequest extends DocumentRequest {
  operationName: string | undefined
  variables: Record<string, unknown> | undefined
}

/** Who subscribes */
export interface Subscriber {
  requestId: string
  /** Whose budget is charged for what it asks for; what it is told of is free. */
  client: string
  /** The stream ends then. */
  expiresAtMs: number
  /** For each event, since loaders remember what they loaded. Rejects where the token is not good any more. */
  createContext: () => Promise<Context>
}

/** What every carrier of subscriptions needs. */
export interface CarrierOptions {
  path: string
  subscriptions: Subscriptions
  connections: LiveConnections
  /** Whose connections are counted together */
  addressOf: (request: IncomingMessage) => string
  corsOrigins: readonly string[]
  createSubscriber: CreateSubscriber
  /** How often it is looked whether a peer is still there */
  heartbeatMs: number
}

/** Rejects with the faults of authentication. */
export type CreateSubscriber = (
  request: IncomingMessage,
  requestId: string,
  authorization: string | undefined,
) => Promise<Subscriber>

/** What goes over the wire */
export interface Answer {
  data?: ExecutionResult['data']
  errors?: readonly GraphQLFormattedError[]
}

export type Answers = AsyncGenerator<Answer, undefined, undefined>
export type Subscribed =
  | { state: 'streaming'; args: ExecutionArgs; answers: Answers }
  | { state: 'refused'; errors: readonly GraphQLError[] }

/** Runs subscriptions, whatever they are carried by. */
export class Subscriptions {
  private readonly formatError: ReturnType<typeof createErrorFormatter>

  constructor(private readonly options: SubscriptionsOptions) {
    this.formatError = createErrorFormatter({ describeFault: options.describeFault, suggests: options.tellsSchema })
  }

  async subscribe(request: SubscriptionRequest, subscriber: Subscriber): Promise<Subscribed> {
    try {
      await this.checkBudget(subscriber)
      const read = this.readDocument(this.documentOf(request), request, subscriber)
      if (read.state === 'refused') return read
      this.charge(read, request, subscriber)
      const args = {
        schema: this.options.schema,
        document: read.document,
        operationName: request.operationName,
        variableValues: request.variables,
      }
      const source = await createSourceEventStream({ ...args, contextValue: await subscriber.createContext() })
      if (!isIterable(source)) return refused(source.errors ?? [])
      const run = async (rootValue: unknown) => execute({ ...args, rootValue, contextValue: await contextFor(subscriber) })
      return { state: 'streaming', args, answers: this.answer(source[Symbol.asyncIterator](), run, subscriber) }
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

  private charge({ document, operation }: Good, { variables = {} }: SubscriptionRequest, { client }: Subscriber): void {
    const { costs, budgets } = this.options.costLimits
    const cost = costs.of(document, operation, variables)
    costs.check(cost)
    take(budgets, client, cost)
  }

  /** No generator: one that waits for the next event could not be ended. */
  private answer(
    source: AsyncIterator<unknown>,
    run: (event: unknown) => Promise<ExecutionResult>,
    subscriber: Subscriber,
  ): Answers {
    let isEnded = false
    let isExpired = false
    const expire = () => {
      isExpired = true
      void source.return?.()
    }
    const expiry = this.at(subscriber.expiresAtMs, expire)
    const { figures } = this.options
    figures.open += 1
    const ended = () => {
      if (!isEnded) figures.open -= 1
      isEnded = true
      clearTimeout(expiry)
      return { done: true as const, value: undefined }
    }
    const end = async () => {
      const its = ended()
      await source.return?.()
      return its
    }
    const nextAnswer = async (): Promise<IteratorResult<Answer, undefined>> => {
      while (!isEnded) {
        const event = await source.next()
        if (isExpired) throw new StreamEndedError('token expired')
        if (event.done) break
        const result = await this.untilAnswered(
          () => run(event.value),
          () => isEnded,
        )
        if (result) return { done: false, value: this.toAnswer(result, subscriber) }
      }
      return ended()
    }
    const next = () =>
      nextAnswer().catch((error) => {
        ended()
        throw error
      })
    const answers = {
      next,
      return: end,
      throw: end,
      [Symbol.asyncIterator]: () => answers,
      [Symbol.asyncDispose]: async () => void (await end()),
    }
    return answers
  }

  private at(timeMs: number, work: () => void): NodeJS.Timeout | undefined {
    if (timeMs === Number.POSITIVE_INFINITY) return undefined
    return setTimeout(work, Math.min(timeMs - this.options.now(), longestTimeoutMs)).unref()
  }

  /** An outage delays an event and does not lose it. Gives nothing where there is nothing to tell any more. */
  private async untilAnswered(run: () => Promise<ExecutionResult>, isEnded: () => boolean): Promise<ExecutionResult | undefined> {
    while (!isEnded()) {
      const result = await run()
      const failure = result.data == null ? result.errors?.[0]?.originalError : undefined
      if (failure instanceof GoneError) return undefined
      if (!failure || !this.options.describeFault(failure)) return result
      await sleep(retryMs)
    }
    return undefined
  }

  private toAnswer({ data, errors }: ExecutionResult, subscriber: Subscriber): Answer {
    this.options.figures.events[errors ? 'errors' : 'ok'] += 1
    return { ...(data !== undefined && { data }), ...(errors && { errors: this.format(errors, subscriber) }) }
  }
}

interface Good {
  document: DocumentNode
  operation: OperationDefinitionNode
}

const retryMs = 500
/** That timers know */
const longestTimeoutMs = 2 ** 31 - 1

/** Throws StreamEndedError where the token is not good any more. */
async function contextFor(subscriber: Subscriber): Promise<Context> {
  try {
    return await subscriber.createContext()
  } catch {
    throw new StreamEndedError('token expired')
  }
}

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

function isIterable(source: unknown): source is AsyncIterable<unknown> {
  return typeof source === 'object' && source !== null && Symbol.asyncIterator in source
}
