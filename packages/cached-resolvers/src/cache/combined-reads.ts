import { type IterationBatch, IterationBatches } from './iteration-batches.js'

type Text = string | null

const maxKeys = 1_000

/** Combines all reads of one iteration of the event loop into one command. A key that several requests need is read once. */
export class CombinedReads {
  private readonly batches: IterationBatches<string, Text>
  private batch: IterationBatch<string, Text> | undefined
  /** Of the keys in `batch` */
  private positions = new Map<string, number>()

  constructor(send: (keys: readonly string[]) => Promise<readonly Text[]>) {
    this.batches = new IterationBatches({ maxItems: maxKeys, send })
  }

  read(keys: readonly string[]): Promise<Text[]> {
    const batch = this.batches.openBatch()
    if (batch !== this.batch) {
      this.batch = batch
      this.positions = new Map()
    }
    const positions = keys.map((key) => this.add(batch.items, key))
    return batch.answers.then((texts) => positions.map((position) => texts[position] ?? null))
  }

  private add(batchKeys: string[], key: string): number {
    const known = this.positions.get(key)
    if (known !== undefined) return known
    this.positions.set(key, batchKeys.length)
    return batchKeys.push(key) - 1
  }
}
