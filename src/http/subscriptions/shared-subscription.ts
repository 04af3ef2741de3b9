import { setTimeout as sleep } from 'node:timers/promises'
import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, execute, type GraphQLError } from 'graphql'
import type { Context } from '../../graphql/context.js'
import { DeletedError } from '../../graphql/errors.js'
import { Stream, StreamEndedError } from '../../platform/live/stream.js'
import type { FormattedResult, ResultStream, Subscriber } from './subscriber.js'

export interface SharedSubscriptionOptions {
  args: ExecutionArgs
  /** Memory charged for each member, in bytes */
  bytes: number
  /** Points charged to a subscriber's budget once, when it subscribes. Events are not charged. */
  cost: number
  /**
   * Resolves when an event may be executed or queued for this client. Clients take turns, and the scheduler limits the work
   * that it starts per iteration of the event loop, so that iterations stay short (see RequestScheduler).
   */
  schedule: (client: string) => Promise<void>
  /** Returns whether an error is an outage, so that a retry may succeed. */
  isOutage: (error: Error) => boolean
  format: (result: ExecutionResult, subscriber: Subscriber) => FormattedResult
  /** Called for each result returned to a member */
  onResult: (result: FormattedResult) => void
  /** Maximum number of events queued for a slow member. If more are queued, the member's stream fails. */
  maxQueued: number
  /** Called once, after the last member has left. An equal subscription may start immediately afterwards. */
  onEnd: () => void
}

/**
 * The outcome of an event. An event is the public id of a changed row.
 * - executed: the event has a result, which is sent to members.
 * - withoutResult: the event has no result, because no member was waiting, no member had a valid token, or the result was dropped
 *   to save memory. Each member executes the event when it reads the event.
 * - deleted: the row was deleted before the event was executed. Nothing is sent.
 */
type EventOutcome =
  | { state: 'executed'; event: string; result: FormattedResult }
  | { state: 'withoutResult'; event: string }
  | { state: 'deleted'; event: string }

/**
 * One subscription that all subscribers with an equal request and an equal viewer share. These subscribers are its members. If a
 * member is waiting when an event arrives, the event is executed once, and members without queued events share the result. Every
 * other member executes the event itself when it reads it. If no member is waiting, or none has a valid token, every member does.
 */
export class SharedSubscription {
  private readonly members = new Set<Member>()
  private source: AsyncIterator<unknown> | undefined
  private starting: Promise<readonly GraphQLError[]> | undefined
  private hasEnded = false

  constructor(readonly options: SharedSubscriptionOptions) {}

  /** Adds a member. Must not be called after `onEnd`. */
  join(subscriber: Subscriber, onLeave: () => void): Member {
    const member: Member = new Member(this, subscriber, () => {
      this.members.delete(member)
      if (this.members.size === 0) this.end()
      onLeave()
    })
    this.members.add(member)
    return member
  }

  /**
   * Starts the subscription on the first call. Resolves with an empty array when the subscription is established: all changes
   * committed afterwards are delivered. Resolves with the GraphQL errors if it cannot be established.
   */
  ensureStarted(): Promise<readonly GraphQLError[]> {
    this.starting ??= this.start()
    return this.starting
  }

  /**
   * Executes an event with the context of the first subscriber whose token is valid. Retries during an outage, so that the event
   * is not lost. `subscribers` is called again before each attempt, because subscribers may have left.
   */
  async executeEvent(event: string, subscribers: () => Iterable<Subscriber>): Promise<EventOutcome> {
    const { args, schedule, isOutage, format } = this.options
    for (;;) {
      const [first] = subscribers()
      if (!first) return { state: 'withoutResult', event }
      await schedule(first.client)
      const authorized = await findAuthorized(subscribers())
      if (!authorized) return { state: 'withoutResult', event }
      const executed = await execute({ ...args, rootValue: event, contextValue: authorized.context })
      const failure = executed.data == null ? executed.errors?.[0]?.originalError : undefined
      if (failure instanceof DeletedError) return { state: 'deleted', event }
      if (!failure || !isOutage(failure)) return { state: 'executed', event, result: format(executed, authorized.subscriber) }
      await sleep(retryMs)
    }
  }

  private async start(): Promise<readonly GraphQLError[]> {
    const [{ subscriber }] = this.members as Iterable<Member> as [Member]
    const source = await createSourceEventStream({ ...this.options.args, contextValue: await subscriber.createContext() })
    if (!isAsyncIterable(source)) return source.errors ?? []
    this.source = source[Symbol.asyncIterator]()
    // If the last member left before the source existed, end() could not close the source.
    if (this.hasEnded) void this.source.return?.()
    void this.deliverAll(this.source)
    return []
  }

  private async deliverAll(source: AsyncIterator<unknown>): Promise<void> {
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
    const outcome = await this.executeIfAwaited(event)
    if (outcome.state === 'deleted') return
    for (const member of this.members) {
      await this.options.schedule(member.subscriber.client)
      member.push(outcome)
    }
  }

  private async executeIfAwaited(event: string): Promise<EventOutcome> {
    const isAwaited = [...this.members].some((member) => member.isAwaiting)
    return isAwaited ? this.executeEvent(event, () => this.subscribers()) : { state: 'withoutResult', event }
  }

  private *subscribers(): Iterable<Subscriber> {
    for (const { subscriber } of this.members) yield subscriber
  }

  /** Calls onEnd() at most once, because a second call could remove an equal subscription that has started since. */
  private end(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    void this.source?.return?.()
    this.options.onEnd()
  }
}

/**
 * One subscriber of a shared subscription. This class is not an async generator, because a generator queues `return` behind a
 * pending `next`.
 */
export class Member implements ResultStream {
  private readonly stream: Stream<EventOutcome>
  private isClosed = false

  constructor(
    private readonly shared: SharedSubscription,
    readonly subscriber: Subscriber,
    onEnd: () => void,
  ) {
    const { maxQueued } = shared.options
    this.stream = new Stream({
      maxQueued,
      onEnd: () => {
        this.isClosed = true
        onEnd()
      },
    })
  }

  get isAwaiting(): boolean {
    return this.stream.isAwaited
  }

  /**
   * Queues an event. Keeps its result only if no event is queued yet, to save memory. An event without a result is executed when
   * the member reads it.
   */
  push(outcome: EventOutcome): void {
    const { event } = outcome
    this.stream.push(event, this.stream.queuedCount === 0 ? outcome : { state: 'withoutResult', event })
  }

  fail(error: Error): void {
    this.stream.fail(error)
  }

  async next(): Promise<IteratorResult<FormattedResult, undefined>> {
    for (;;) {
      const { done, value } = await this.stream.next()
      if (done) return doneResult
      await this.checkToken()
      const outcome =
        value.state === 'withoutResult' ? await this.shared.executeEvent(value.event, () => this.remainingSubscriber()) : value
      // If the stream has closed in the meantime, stream.next() ends this loop: it returns `done` or throws the error.
      if (this.isClosed || outcome.state === 'deleted') continue
      // The member is still open, so there is only one reason left: its token is no longer valid.
      if (outcome.state === 'withoutResult') throw await this.closeExpired()
      this.shared.options.onResult(outcome.result)
      return { done: false, value: outcome.result }
    }
  }

  async return(): Promise<IteratorResult<FormattedResult, undefined>> {
    await this.stream.return()
    return doneResult
  }

  throw(): Promise<IteratorResult<FormattedResult, undefined>> {
    return this.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Yields nothing once the member is closed, so that executeEvent() stops retrying for this member. */
  private *remainingSubscriber(): Iterable<Subscriber> {
    if (!this.isClosed) yield this.subscriber
  }

  private async checkToken(): Promise<void> {
    try {
      await this.subscriber.checkToken()
    } catch {
      throw await this.closeExpired()
    }
  }

  /** Closes the member, and returns the error to throw. */
  private async closeExpired(): Promise<StreamEndedError> {
    await this.return()
    return new StreamEndedError('token expired')
  }
}

/**
 * Returns the first subscriber with a valid token, and a new context for this subscriber. The token of every other member is
 * checked when that member reads the event.
 */
async function findAuthorized(
  subscribers: Iterable<Subscriber>,
): Promise<{ subscriber: Subscriber; context: Context } | undefined> {
  for (const subscriber of subscribers) {
    const context = await subscriber.createContext().catch(() => undefined)
    if (context) return { subscriber, context }
  }
  return undefined
}

function isAsyncIterable(source: unknown): source is AsyncIterable<unknown> {
  return typeof source === 'object' && source !== null && Symbol.asyncIterator in source
}

const doneResult = { done: true as const, value: undefined }
const retryMs = 500
