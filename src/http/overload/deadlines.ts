/** The request took longer than its deadline, and was cancelled. */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError'
}

/** The client closed its connection before its request was answered. */
export class ClientDisconnectedError extends Error {
  override readonly name = 'ClientDisconnectedError'
}

export interface DeadlinesOptions {
  /** Of a request, counted from its arrival */
  timeoutMs: number
  /** Monotonic, in milliseconds */
  now: () => number
}

/** The connection that the response will be sent on: usually the socket of the client */
export interface Connection {
  readonly destroyed: boolean
}

/** For subscriptions: they end with their stream, so their operations need not check the connection. */
export const alwaysOpen: Connection = { destroyed: false }

/** A request that never waits: it is cancelled as soon as it needs more than cached values. */
export const neverWaits: Connection = { destroyed: true }

/** Cancels requests that take too long, and requests whose client has disconnected. One timer checks all of them. */
export class Deadlines {
  /** The time at the last tick of the timer: up to 50 ms old, but reading it costs nothing */
  coarseNow: number
  readonly waiting = new Set<RequestCancellation>()
  private timer: NodeJS.Timeout | undefined

  constructor(readonly options: DeadlinesOptions) {
    this.coarseNow = options.now()
  }

  start(): void {
    // After a stall of the process, results may still be unread in sockets. An immediate runs after they were read.
    this.timer = setInterval(() => setImmediate(() => this.checkAll()), checkIntervalMs).unref()
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private checkAll(): void {
    this.coarseNow = this.options.now()
    for (const cancellation of this.waiting) cancellation.check()
  }
}

/** Notifies loaders and commands when the request that they work for is cancelled. */
export class RequestCancellation {
  private readonly callbacks = new Set<(reason: Error) => void>()
  private knownReason: Error | undefined

  constructor(
    private readonly deadlines: Deadlines,
    private readonly connection: Connection,
    private readonly arrivedAt: number,
  ) {}

  get reason(): Error | undefined {
    if (this.knownReason) return this.knownReason
    const { timeoutMs } = this.deadlines.options
    if (this.connection.destroyed) this.knownReason = new ClientDisconnectedError('The client closed its connection')
    else if (this.deadlines.coarseNow - this.arrivedAt >= timeoutMs)
      this.knownReason = new DeadlineExceededError(`The request took longer than ${timeoutMs} ms and was cancelled`)
    return this.knownReason
  }

  /** Calls back when the request is cancelled. Returns a function that removes the callback. */
  onCancel(callback: (reason: Error) => void): () => void {
    // A function of its own, because the same callback may be registered several times.
    const registered = (reason: Error) => callback(reason)
    this.callbacks.add(registered)
    this.deadlines.waiting.add(this)
    return () => {
      this.callbacks.delete(registered)
      if (this.callbacks.size === 0) this.deadlines.waiting.delete(this)
    }
  }

  /** Calls all callbacks if the request is cancelled by now. */
  check(): void {
    const { reason } = this
    if (!reason) return
    this.deadlines.waiting.delete(this)
    const callbacks = [...this.callbacks]
    this.callbacks.clear()
    for (const callback of callbacks) callback(reason)
  }
}

const checkIntervalMs = 50
