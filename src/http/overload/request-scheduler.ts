export interface RequestSchedulerOptions {
  /**
   * Target duration of an iteration of the event loop. When one takes longer, fewer requests are started per iteration; when one
   * takes less than half of it and started as many requests as allowed, more are.
   */
  targetIterationMs: number
  /** Per client */
  maxWaiting: number
  /** Monotonic, in milliseconds */
  now: () => number
}

/** Returns whether it did any work: refusing a request, or finding its client disconnected, takes little time. */
type StartRequest = () => boolean

/**
 * Limits how many requests are started in one iteration of the event loop, so that iterations stay short. Requests of one client
 * start in order of arrival, and clients take turns (round robin), so that no client waits for all requests of another. Node
 * accepts one new connection per iteration: while hundreds arrive, iterations have to be shorter still, or new clients and probes
 * would wait for all of these requests.
 */
export class RequestScheduler {
  /** By client, in round-robin order: the first is served next. */
  private readonly queues = new Map<string, Set<StartRequest>>()
  private maxStarts = initialMaxStarts
  /** Requests started in this iteration; refusals count as a fraction of one. */
  private starts = 0
  private iterationStartedAt: number | undefined
  /** Whether a connection was accepted in this iteration */
  private hasNewConnection = false
  /** While connections arrive, no request starts before this time. */
  private pausedUntil = 0

  constructor(private readonly options: RequestSchedulerOptions) {}

  /** Must be called for each new connection. */
  onConnection(): void {
    this.hasNewConnection = true
    this.trackIteration()
  }

  /**
   * Calls `start` at once if this iteration has room for it, otherwise in a later one. Returns false, and never calls it, if too
   * many requests of this client are waiting.
   */
  schedule(client: string, start: StartRequest): boolean {
    this.trackIteration()
    if (this.hasNewConnection || this.queues.size > 0 || this.starts >= this.maxStarts) return this.enqueue(client, start)
    this.run(start)
    return true
  }

  private enqueue(client: string, start: StartRequest): boolean {
    const queue = this.queues.get(client) ?? new Set()
    if (queue.size === this.options.maxWaiting) return false
    this.queues.set(client, queue.add(start))
    return true
  }

  private trackIteration(): void {
    if (this.iterationStartedAt !== undefined) return
    this.iterationStartedAt = this.options.now()
    setImmediate(this.endIteration)
  }

  private readonly endIteration = (): void => {
    const { now, targetIterationMs } = this.options
    const durationMs = now() - (this.iterationStartedAt as number)
    if (durationMs > targetIterationMs) this.maxStarts = Math.max(1, Math.floor(this.maxStarts / 2))
    else if (durationMs < targetIterationMs / 2 && this.starts >= this.maxStarts)
      this.maxStarts = Math.min(maxStartsLimit, this.maxStarts + 1)
    const maxStarts = this.maxStartsOfNextIteration(durationMs)
    this.starts = 0
    this.iterationStartedAt = undefined
    if (this.queues.size === 0) return
    this.trackIteration()
    while (this.starts < maxStarts) {
      const start = this.dequeue()
      if (!start) return
      this.run(start)
    }
  }

  private maxStartsOfNextIteration(durationMs: number): number {
    const now = this.options.now()
    if (this.starts > 0) this.pausedUntil = now + connectionTimeShare * Math.min(durationMs, this.options.targetIterationMs)
    if (!this.hasNewConnection) return this.maxStarts
    this.hasNewConnection = false
    return now < this.pausedUntil ? 0 : 1
  }

  private run(start: StartRequest): void {
    this.starts += start() ? 1 : refusalShare
  }

  private dequeue(): StartRequest | undefined {
    for (const [client, queue] of this.queues) {
      const [start] = queue as Iterable<StartRequest> as [StartRequest]
      queue.delete(start)
      this.queues.delete(client)
      if (queue.size > 0) this.queues.set(client, queue)
      return start
    }
    return undefined
  }
}

const initialMaxStarts = 16
const maxStartsLimit = 256
/** How much of a request's time a refusal takes */
const refusalShare = 1 / 8
/** While new connections arrive, accepting them gets this multiple of the time that requests take. */
const connectionTimeShare = 2
