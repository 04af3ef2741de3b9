/** The server ended the stream, and the reader must subscribe again. */
export class StreamEndedError extends Error {
  override readonly name = 'StreamEndedError'

  constructor(readonly reason: keyof typeof reasons) {
    super(reasons[reason])
  }
}

const reasons = {
  'too slow': 'The client reads too slowly and too many events are waiting for it: subscribe again',
  'changes missed': 'Changes may have been missed: subscribe again',
  'token expired': 'The token has expired or was revoked: subscribe again with a new one',
}

/**
 * A queue of values for one reader, with one value per id: a new value replaces a queued value with the same id. This class is
 * not an async generator, because the `return` of a generator waits for a pending `next`. Here, `return` ends the pending `next`.
 */
export class Stream<Value> implements AsyncIterableIterator<Value> {
  private readonly queued = new Map<string, Value>()
  private pendingNext: { resolve: (result: IteratorResult<Value>) => void; reject: (error: Error) => void } | undefined
  private end: { error: Error | null } | undefined

  constructor(private readonly options: { maxQueued: number; onEnd: () => void }) {}

  /** Number of queued values */
  get queuedCount(): number {
    return this.queued.size
  }

  /** Whether the reader waits for the next value */
  get isAwaited(): boolean {
    return this.pendingNext !== undefined
  }

  push(id: string, value: Value): void {
    if (this.end) return
    this.queued.set(id, value)
    if (this.queued.size > this.options.maxQueued) {
      this.fail(new StreamEndedError('too slow'))
    } else {
      this.pendingNext?.resolve(this.takeFirst())
      this.pendingNext = undefined
    }
  }

  /** Discards the queued values. The next call of `next` rejects with the error. */
  fail(error: Error): void {
    this.close({ error })
  }

  next(): Promise<IteratorResult<Value>> {
    if (this.end?.error) {
      const { error } = this.end
      this.end = { error: null }
      return Promise.reject(error)
    }
    if (this.end) return Promise.resolve(done)
    if (this.queued.size > 0) return Promise.resolve(this.takeFirst())
    return new Promise((resolve, reject) => {
      this.pendingNext = { resolve, reject }
    })
  }

  async return(): Promise<IteratorResult<Value>> {
    this.close({ error: null })
    return done
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  private takeFirst(): IteratorResult<Value> {
    const [[id, value]] = this.queued as Iterable<[string, Value]> as [[string, Value]]
    this.queued.delete(id)
    return { done: false, value }
  }

  private close(end: { error: Error | null }): void {
    if (this.end) return
    this.queued.clear()
    const { pendingNext } = this
    this.pendingNext = undefined
    // A pending `next` rejects with the error now. Without a pending `next`, the next call of `next` rejects with the error.
    this.end = pendingNext ? { error: null } : end
    if (end.error) pendingNext?.reject(end.error)
    else pendingNext?.resolve(done)
    this.options.onEnd()
  }
}

const done = { done: true, value: undefined } as const
