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
  parse,
  validate,
} from 'graphql'
import type { Context } from '../graphql/context.js'
import { createErrorFormatter, type ErrorCode, type Fault, GoneError, isPublic, rootOf, withCode } from '../graphql/errors.js'

export interface SubscriptionsOptions {
  schema: GraphQLSchema
  describeFault: (error: unknown) => Fault | null
  logger: FastifyBaseLogger
}

export interface SubscriptionRequest {
  query: string
  operationName: string | undefined
  variables: Record<string, unknown> | undefined
}

/** Who subscribes: a context for each event, since loaders remember what they loaded. */
export interface Subscriber {
  requestId: string
  createContext: () => Context
}

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
    this.formatError = createErrorFormatter(options.describeFault)
  }

  async subscribe(request: SubscriptionRequest, subscriber: Subscriber): Promise<Subscribed> {
    try {
      const read = this.readDocument(request)
      if (read.state === 'refused') return read
      const args = {
        schema: this.options.schema,
        document: read.document,
        operationName: request.operationName,
        variableValues: request.variables,
      }
      const source = await createSourceEventStream({ ...args, contextValue: subscriber.createContext() })
      if (!isIterable(source)) return refused(source.errors ?? [])
      const run = (rootValue: unknown) => execute({ ...args, rootValue, contextValue: subscriber.createContext() })
      return { state: 'streaming', args, answers: this.answer(source[Symbol.asyncIterator](), run, subscriber) }
    } catch (error) {
      return refused([asGraphQLError(error)])
    }
  }

  /** Gives errors their code and the id of the request; masks and logs those that are not for the client. */
  format(errors: readonly GraphQLError[], { requestId }: Pick<Subscriber, 'requestId'>): GraphQLFormattedError[] {
    return errors.map((error) => {
      if (!isPublic(error)) this.log(error, requestId)
      const { extensions, ...formatted } = this.formatError(error.toJSON(), error)
      return { ...formatted, extensions: { code: 'BAD_USER_INPUT', ...extensions, requestId } }
    })
  }

  private log(error: GraphQLError, requestId: string): void {
    const fault = this.options.describeFault(rootOf(error))
    if (fault) this.options.logger.warn({ requestId, path: error.path }, error.message)
    else this.options.logger.error({ requestId, path: error.path, err: error.originalError ?? error }, error.message)
  }

  private readDocument({ query, operationName }: SubscriptionRequest) {
    let document: DocumentNode
    try {
      document = parse(query)
    } catch (error) {
      return refused([coded(error as GraphQLError, 'GRAPHQL_PARSE_FAILED')])
    }
    const errors = validate(this.options.schema, document)
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
    return { state: 'good' as const, document }
  }

  /** No generator: one that waits for the next event could not be ended. */
  private answer(
    source: AsyncIterator<unknown>,
    run: (event: unknown) => ExecutionResult | Promise<ExecutionResult>,
    subscriber: Subscriber,
  ): Answers {
    let isEnded = false
    const end = async () => {
      isEnded = true
      await source.return?.()
      return { done: true as const, value: undefined }
    }
    const next = async (): Promise<IteratorResult<Answer, undefined>> => {
      while (!isEnded) {
        const event = await source.next()
        if (event.done) break
        const result = await this.untilAnswered(
          () => run(event.value),
          () => isEnded,
        )
        if (result) return { done: false, value: this.toAnswer(result, subscriber) }
      }
      return { done: true, value: undefined }
    }
    const answers = {
      next,
      return: end,
      throw: end,
      [Symbol.asyncIterator]: () => answers,
      [Symbol.asyncDispose]: async () => void (await end()),
    }
    return answers
  }

  /** An outage delays an event and does not lose it. Gives nothing where there is nothing to tell any more. */
  private async untilAnswered(
    run: () => ExecutionResult | Promise<ExecutionResult>,
    isEnded: () => boolean,
  ): Promise<ExecutionResult | undefined> {
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
    return { ...(data !== undefined && { data }), ...(errors && { errors: this.format(errors, subscriber) }) }
  }
}

const retryMs = 500

function refused(errors: readonly GraphQLError[]) {
  return { state: 'refused' as const, errors }
}

function coded(error: GraphQLError, code: ErrorCode): GraphQLError {
  error.extensions.code = code
  return error
}

function asGraphQLError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error
  return new GraphQLError('failed', { originalError: error instanceof Error ? error : new Error(String(error)) })
}

function isIterable(source: unknown): source is AsyncIterable<unknown> {
  return typeof source === 'object' && source !== null && Symbol.asyncIterator in source
}
