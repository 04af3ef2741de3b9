/** What was asked for was not there in time. Nobody waits for it any more. */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError'
}

/** There is no client any more to give an answer to. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError'
}

export interface DeadlinesOptions {
  /** For a request, from its arrival on */
  timeoutMs: number
  /** Monotonic, in milliseconds */
  now: () => number
}

/** The way back to a client: its socket, as a rule */
export interface Connection {
  readonly destroyed: boolean
}

/** For what goes on for as long as somebody listens, and ends otherwise */
export const stillThere: Connection = { destroyed: false }

/** One who has no time at all: it gets what is at hand, and waits for nothing. */
export const inHaste: Connection = { destroyed: true }

/** Ends the waiting of requests that take too long, and of those whose client has gone. One timer looks after them all. */
export class Deadlines {
  /** When the timer went last: near enough, and costs a request nothing */
  now: number
  readonly waiting = new Set<RequestCaller>()
  private timer: NodeJS.Timeout | undefined

  constructor(readonly options: DeadlinesOptions) {
    this.now = options.now()
  }

  start(): void {
    // After a stall, what a request waits for may lie in a socket: an immediate runs after it was read.
    this.timer = setInterval(() => setImmediate(() => this.look()), lookEveryMs).unref()
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private look(): void {
    this.now = this.options.now()
    for (const caller of this.waiting) caller.look()
  }
}

/** A request, as those see it who do something for it. */
export class RequestCaller {
  private readonly callbacks = new Set<(reason: Error) => void>()
  private reason: Error | undefined

  constructor(
    private readonly deadlines: Deadlines,
    private readonly connection: Connection,
    private readonly arrivedAt: number,
  ) {}

  get gaveUp(): Error | undefined {
    if (this.reason) return this.reason
    const { timeoutMs } = this.deadlines.options
    if (this.connection.destroyed) this.reason = new ClientGoneError('The client has gone')
    else if (this.deadlines.now - this.arrivedAt >= timeoutMs)
      this.reason = new DeadlineExceededError(`Not done within ${timeoutMs} ms and given up`)
    return this.reason
  }

  whenGivingUp(callback: (reason: Error) => void): () => void {
    // The same function may wait for several things.
    const once = (reason: Error) => callback(reason)
    this.callbacks.add(once)
    this.deadlines.waiting.add(this)
    return () => {
      this.callbacks.delete(once)
      if (this.callbacks.size === 0) this.deadlines.waiting.delete(this)
    }
  }

  /** Lets all go who wait on its behalf, if it has given up. */
  look(): void {
    const { gaveUp } = this
    if (!gaveUp) return
    this.deadlines.waiting.delete(this)
    const callbacks = [...this.callbacks]
    this.callbacks.clear()
    for (const callback of callbacks) callback(gaveUp)
  }
}

const lookEveryMs = 50
