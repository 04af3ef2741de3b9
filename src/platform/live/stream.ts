/** Why a stream ended though its reader did not want it to: it has to be opened again. */
export class StreamEndedError extends Error {
  override readonly name = 'StreamEndedError'

  constructor(readonly reason: keyof typeof reasons) {
    super(reasons[reason])
  }
}

const reasons = {
  'too slow': 'More waits for this reader than is kept, subscribe again',
  'changes missed': 'Changes may have been missed, subscribe again',
  'token expired': 'The token is not good any more, subscribe again with a new one',
}

/**
 * Values on their way to one reader, each of them under an id, and each id once until it is taken: what changes again while the reader is
 * busy comes once more, with its newest value. No generator: returning ends a `next` that waits, which those would sit out.
 */
export class Stream<Value> implements AsyncIterableIterator<Value> {
  private readonly waiting = new Map<string, Value>()
  private taker: { resolve: (result: IteratorResult<Value>) => void; reject: (error: Error) => void } | undefined
  private end: { error: Error | null } | undefined

  constructor(private readonly options: { maxWaiting: number; onEnd: () => void }) {}

  /** How many wait to be taken */
  get waitingCount(): number {
    return this.waiting.size
  }

  /** Whether the reader waits for the next one */
  get isAwaited(): boolean {
    return this.taker !== undefined
  }

  push(id: string, value: Value): void {
    if (this.end) return
    this.waiting.set(id, value)
    if (this.waiting.size > this.options.maxWaiting) {
      this.fail(new StreamEndedError('too slow'))
    } else {
      this.taker?.resolve(this.take())
      this.taker = undefined
    }
  }

  /** What waits is given up. */
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
    if (this.waiting.size > 0) return Promise.resolve(this.take())
    return new Promise((resolve, reject) => {
      this.taker = { resolve, reject }
    })
  }

  async return(): Promise<IteratorResult<Value>> {
    this.close({ error: null })
    return done
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  private take(): IteratorResult<Value> {
    const [[id, value]] = this.waiting as Iterable<[string, Value]> as [[string, Value]]
    this.waiting.delete(id)
    return { done: false, value }
  }

  private close(end: { error: Error | null }): void {
    if (this.end) return
    this.waiting.clear()
    const { taker } = this
    this.taker = undefined
    // An error is told once.
    this.end = taker ? { error: null } : end
    if (end.error) taker?.reject(end.error)
    else taker?.resolve(done)
    this.options.onEnd()
  }
}

const done = { done: true, value: undefined } as const
