import { setTimeout as sleep } from 'node:timers/promises'
import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, execute, type GraphQLError } from 'graphql'
import type { Context } from '../../graphql/context.js'
import { GoneError } from '../../graphql/errors.js'
import { Stream, StreamEndedError } from '../../platform/live/stream.js'
import type { Answer, Answers, Subscriber } from './subscriber.js'

export interface SharedSubscriptionOptions {
  args: ExecutionArgs
  /** Of what is kept for each of its members */
  bytes: number
  /** In points */
  cost: number
  /** Resolves in a turn of the event loop that has time for this client. */
  turn: (client: string) => Promise<void>
  /** Whether it may go well later */
  isOutage: (error: Error) => boolean
  format: (result: ExecutionResult, subscriber: Subscriber) => Answer
  /** For each answer to each member */
  onTold: (answer: Answer) => void
  /** So many events wait for a slow member; with more, its stream fails. */
  maxWaiting: number
  /** Called once, when the last member has left */
  onEnd: () => void
}

/** What an event comes to. Where nobody has waited for the answer, each member asks for it when it takes the event. */
type Told =
  | { state: 'answered'; event: string; answer: Answer }
  | { state: 'unanswered'; event: string }
  | { state: 'gone'; event: string }

/** What equal subscriptions of equal viewers have in common: it waits for events once, and executes each of them once. */
export class SharedSubscription {
  private readonly members = new Set<Member>()
  private source: AsyncIterator<unknown> | undefined
  private starting: Promise<readonly GraphQLError[]> | undefined

  constructor(readonly options: SharedSubscriptionOptions) {}

  /** Is a member at once. */
  join(subscriber: Subscriber, onLeave: () => void): Member {
    const member: Member = new Member(this, subscriber, () => {
      this.members.delete(member)
      if (this.members.size === 0) this.end()
      onLeave()
    })
    this.members.add(member)
    return member
  }

  /** Resolves when all that is committed from now on will be told, with no errors. */
  started(): Promise<readonly GraphQLError[]> {
    this.starting ??= this.start()
    return this.starting
  }

  /** An outage delays an event and does not lose it. */
  async answerTo(event: string, subscribers: () => Iterable<Subscriber>): Promise<Told> {
    const { args, turn, isOutage, format } = this.options
    for (;;) {
      const [first] = subscribers()
      if (!first) return { state: 'unanswered', event }
      await turn(first.client)
      const reader = await findReader(subscribers())
      if (!reader) return { state: 'unanswered', event }
      const result = await execute({ ...args, rootValue: event, contextValue: reader.context })
      const failure = result.data == null ? result.errors?.[0]?.originalError : undefined
      if (failure instanceof GoneError) return { state: 'gone', event }
      if (!failure || !isOutage(failure)) return { state: 'answered', event, answer: format(result, reader.subscriber) }
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
        await this.tell(event.value as string)
      }
      for (const member of [...this.members]) void member.return()
    } catch (error) {
      for (const member of [...this.members]) member.fail(error as Error)
    }
  }

  private async tell(event: string): Promise<void> {
    const told = await this.answerOnce(event)
    if (told.state === 'gone') return
    for (const member of this.members) {
      await this.options.turn(member.subscriber.client)
      member.push(told)
    }
  }

  private async answerOnce(event: string): Promise<Told> {
    const isAwaited = [...this.members].some((member) => member.isAwaiting)
    return isAwaited ? this.answerTo(event, () => this.subscribers()) : { state: 'unanswered', event }
  }

  private *subscribers(): Iterable<Subscriber> {
    for (const { subscriber } of this.members) yield subscriber
  }

  private end(): void {
    void this.source?.return?.()
    this.options.onEnd()
  }
}

/** One subscriber's part of it. No generator: one that waits for the next event could not be ended. */
export class Member implements Answers {
  private readonly stream: Stream<Told>
  private isOver = false

  constructor(
    private readonly shared: SharedSubscription,
    readonly subscriber: Subscriber,
    onEnd: () => void,
  ) {
    const { maxWaiting } = shared.options
    this.stream = new Stream({
      maxWaiting,
      onEnd: () => {
        this.isOver = true
        onEnd()
      },
    })
  }

  get isAwaiting(): boolean {
    return this.stream.isAwaited
  }

  /** Of a slow reader's events, only one keeps its answer. */
  push(told: Told): void {
    const { event } = told
    this.stream.push(event, this.stream.waitingCount === 0 ? told : { state: 'unanswered', event })
  }

  fail(error: Error): void {
    this.stream.fail(error)
  }

  async next(): Promise<IteratorResult<Answer, undefined>> {
    for (;;) {
      const { done, value } = await this.stream.next()
      if (done) return over
      await this.checkToken()
      const told = value.state === 'unanswered' ? await this.shared.answerTo(value.event, () => this.itself()) : value
      // The stream knows how it ended.
      if (this.isOver || told.state === 'gone') continue
      if (told.state === 'unanswered') throw await this.expired()
      this.shared.options.onTold(told.answer)
      return { done: false, value: told.answer }
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

  /** None, once it has ended: nobody is there to execute for. */
  private *itself(): Iterable<Subscriber> {
    if (!this.isOver) yield this.subscriber
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

/** The first whose token is good: the others hear of theirs when they take the event. */
async function findReader(subscribers: Iterable<Subscriber>): Promise<{ subscriber: Subscriber; context: Context } | undefined> {
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
