import { setTimeout as sleep } from 'node:timers/promises'
import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, execute, type GraphQLError } from 'graphql'
import type { Context } from '../../graphql/context.js'
import { DeletedError } from '../../graphql/errors.js'
import { Stream, StreamEndedError } from '../../platform/live/stream.js'
import type { Answer, Answers, Subscriber } from './subscriber.js'

export interface SharedSubscriptionOptions {
  args: ExecutionArgs
  /** Memory kept for each member */
  bytes: number
  /** Points charged to each member's budget */
  cost: number
  /** Resolves when the scheduler has time for work of this client. */
  schedule: (client: string) => Promise<void>
  /** Whether a retry may succeed */
  isOutage: (error: Error) => boolean
  format: (result: ExecutionResult, subscriber: Subscriber) => Answer
  /** Called for each answer to each member */
  onAnswer: (answer: Answer) => void
  /** Maximum number of events that wait for a slow member. Its stream fails if there are more. */
  maxWaiting: number
  /** Called once, when the last member has left */
  onEnd: () => void
}

/**
 * `pending`: the event has not been executed, because no member was waiting for it; each member executes it when it reads the
 * event. `deleted`: the row was deleted before the event was executed, so nothing is sent.
 */
type EventResult =
  | { state: 'answered'; event: string; answer: Answer }
  | { state: 'pending'; event: string }
  | { state: 'deleted'; event: string }

/** Executes each event once for all equal subscriptions of equal viewers, its members. */
export class SharedSubscription {
  private readonly members = new Set<Member>()
  private source: AsyncIterator<unknown> | undefined
  private starting: Promise<readonly GraphQLError[]> | undefined

  constructor(readonly options: SharedSubscriptionOptions) {}

  /** Adds a member. */
  join(subscriber: Subscriber, onLeave: () => void): Member {
    const member: Member = new Member(this, subscriber, () => {
      this.members.delete(member)
      if (this.members.size === 0) this.end()
      onLeave()
    })
    this.members.add(member)
    return member
  }

  /** Resolves without errors once every change committed from then on will be sent, or with the errors of the subscription. */
  started(): Promise<readonly GraphQLError[]> {
    this.starting ??= this.start()
    return this.starting
  }

  /**
   * Executes an event with the context of the first subscriber whose token is valid. Retries during an outage, so the event is not
   * lost.
   */
  async execute(event: string, subscribers: () => Iterable<Subscriber>): Promise<EventResult> {
    const { args, schedule, isOutage, format } = this.options
    for (;;) {
      const [first] = subscribers()
      if (!first) return { state: 'pending', event }
      await schedule(first.client)
      const authorized = await findAuthorized(subscribers())
      if (!authorized) return { state: 'pending', event }
      const result = await execute({ ...args, rootValue: event, contextValue: authorized.context })
      const failure = result.data == null ? result.errors?.[0]?.originalError : undefined
      if (failure instanceof DeletedError) return { state: 'deleted', event }
      if (!failure || !isOutage(failure)) return { state: 'answered', event, answer: format(result, authorized.subscriber) }
      await sleep(retryMs)
    }
  }

  private async start(): Promise<readonly GraphQLError[]> {
    const [{ subscriber }] = this.members as Iterable<Member> as [Member]
    const source = await createSourceEventStream({ ...this.options.args, contextValue: await subscriber.createContext() })
    if (!isIterable(source)) return source.errors ?? []
    this.source = source[Symbol.asyncIterator]()
    if (this.members.size === 0) this.end()
    void this.run(this.source)
    return []
  }

  private async run(source: AsyncIterator<unknown>): Promise<void> {
    try {
      for (;;) {
        const event = await source.next()
        if (event.done) break
        await this.deliver(event.value as string)
      }
      for (const member of [...this.members]) void member.return()
    } catch (error) {
      for (const member of [...this.members]) member.fail(error as Error)
    }
  }

  private async deliver(event: string): Promise<void> {
    const result = await this.executeIfAwaited(event)
    if (result.state === 'deleted') return
    for (const member of this.members) {
      await this.options.schedule(member.subscriber.client)
      member.push(result)
    }
  }

  private async executeIfAwaited(event: string): Promise<EventResult> {
    const isAwaited = [...this.members].some((member) => member.isAwaiting)
    return isAwaited ? this.execute(event, () => this.subscribers()) : { state: 'pending', event }
  }

  private *subscribers(): Iterable<Subscriber> {
    for (const { subscriber } of this.members) yield subscriber
  }

  private end(): void {
    void this.source?.return?.()
    this.options.onEnd()
  }
}

/** One subscriber of a shared subscription. Not an async generator: `return` could not end one that waits for the next event. */
export class Member implements Answers {
  private readonly stream: Stream<EventResult>
  private isClosed = false

  constructor(
    private readonly shared: SharedSubscription,
    readonly subscriber: Subscriber,
    onEnd: () => void,
  ) {
    const { maxWaiting } = shared.options
    this.stream = new Stream({
      maxWaiting,
      onEnd: () => {
        this.isClosed = true
        onEnd()
      },
    })
  }

  get isAwaiting(): boolean {
    return this.stream.isAwaited
  }

  /** Keeps the answer of at most one queued event: the others are executed again when they are read. */
  push(result: EventResult): void {
    const { event } = result
    this.stream.push(event, this.stream.waitingCount === 0 ? result : { state: 'pending', event })
  }

  fail(error: Error): void {
    this.stream.fail(error)
  }

  async next(): Promise<IteratorResult<Answer, undefined>> {
    for (;;) {
      const { done, value } = await this.stream.next()
      if (done) return over
      await this.checkToken()
      const result = value.state === 'pending' ? await this.shared.execute(value.event, () => this.remainingSubscriber()) : value
      // If the stream has closed, the next call returns or throws the reason.
      if (this.isClosed || result.state === 'deleted') continue
      if (result.state === 'pending') throw await this.expired()
      this.shared.options.onAnswer(result.answer)
      return { done: false, value: result.answer }
    }
  }

  async return(): Promise<IteratorResult<Answer, undefined>> {
    await this.stream.return()
    return over
  }

  throw(): Promise<IteratorResult<Answer, undefined>> {
    return this.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Empty once the member is closed, which stops an execution for it. */
  private *remainingSubscriber(): Iterable<Subscriber> {
    if (!this.isClosed) yield this.subscriber
  }

  private async checkToken(): Promise<void> {
    try {
      await this.subscriber.checkToken()
    } catch {
      throw await this.expired()
    }
  }

  private async expired(): Promise<StreamEndedError> {
    await this.return()
    return new StreamEndedError('token expired')
  }
}

/** Returns the first subscriber with a valid token. The tokens of the others are checked when they read the event. */
async function findAuthorized(
  subscribers: Iterable<Subscriber>,
): Promise<{ subscriber: Subscriber; context: Context } | undefined> {
  for (const subscriber of subscribers) {
    const context = await subscriber.createContext().catch(() => undefined)
    if (context) return { subscriber, context }
  }
  return undefined
}

function isIterable(source: unknown): source is AsyncIterable<unknown> {
  return typeof source === 'object' && source !== null && Symbol.asyncIterator in source
}

const over = { done: true as const, value: undefined }
const retryMs = 500
