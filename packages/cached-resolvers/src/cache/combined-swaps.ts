import type { Swap, SwapAnswer } from './store.js'

/** A batch that has reached this number of swaps is not extended, because a larger script would delay other clients of the server. */
const maxSwaps = 250

/**
 * Combines all swaps of one iteration of the event loop into one command, so that concurrent requests share a round trip. Each key is
 * swapped on its own, in the order of the calls. If the command fails, all calls that share it reject.
 */
export class CombinedSwaps {
  private batch: { swaps: Swap[]; answers: Promise<SwapAnswer[]> } | undefined

  constructor(private readonly swapMany: (swaps: readonly Swap[]) => Promise<SwapAnswer[]>) {}

  async swap(swaps: readonly Swap[]): Promise<SwapAnswer[]> {
    const { batch = this.startBatch() } = this
    const start = batch.swaps.length
    for (const swap of swaps) batch.swaps.push(swap)
    if (batch.swaps.length >= maxSwaps) this.batch = undefined
    const answers = await batch.answers
    return answers.slice(start, start + swaps.length)
  }

  private startBatch() {
    const swaps: Swap[] = []
    const send = () => {
      if (this.batch === batch) this.batch = undefined
      return this.swapMany(swaps)
    }
    const answers = new Promise<SwapAnswer[]>((resolve) => setImmediate(() => resolve(send())))
    const batch = { swaps, answers }
    this.batch = batch
    return batch
  }
}
