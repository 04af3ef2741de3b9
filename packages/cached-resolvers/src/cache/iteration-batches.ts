/** Items that are sent together, and the answers to them, in the same order */
export interface IterationBatch<Item, Answer> {
  readonly items: Item[]
  readonly answers: Promise<readonly Answer[]>
}

export interface IterationBatchesOptions<Item, Answer> {
  /** A batch that has reached this number of items is not extended, because a larger command would delay other clients of the server. */
  maxItems: number
  send: (items: readonly Item[]) => Promise<readonly Answer[]>
}

/** Collects what is added in one iteration of the event loop into one batch, so that concurrent requests share a round trip. */
export class IterationBatches<Item, Answer> {
  private open: IterationBatch<Item, Answer> | undefined

  constructor(private readonly options: IterationBatchesOptions<Item, Answer>) {}

  /** Returns the batch to which items can be added now. It is sent at the end of this iteration. */
  openBatch(): IterationBatch<Item, Answer> {
    if (!this.open || this.open.items.length >= this.options.maxItems) this.open = this.startBatch()
    return this.open
  }

  private startBatch(): IterationBatch<Item, Answer> {
    const items: Item[] = []
    const send = () => {
      if (this.open === batch) this.open = undefined
      return this.options.send(items)
    }
    const batch = { items, answers: new Promise<readonly Answer[]>((resolve) => setImmediate(() => resolve(send()))) }
    return batch
  }
}
