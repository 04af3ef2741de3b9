import { IterationBatches } from './iteration-batches.js'
import type { Swap, SwapAnswer } from './store.js'

const maxSwaps = 250

/**
 * Combines all swaps of one iteration of the event loop into one command. Each key is swapped on its own, in the order of the calls. If
 * the command fails, all calls that share it reject.
 */
export class CombinedSwaps {
  private readonly batches: IterationBatches<Swap, SwapAnswer>

  constructor(send: (swaps: readonly Swap[]) => Promise<SwapAnswer[]>) {
    this.batches = new IterationBatches({ maxItems: maxSwaps, send })
  }

  async swap(swaps: readonly Swap[]): Promise<SwapAnswer[]> {
    const { items, answers } = this.batches.openBatch()
    const start = items.length
    for (const swap of swaps) items.push(swap)
    return (await answers).slice(start, start + swaps.length)
  }
}
