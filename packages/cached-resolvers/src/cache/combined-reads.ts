type Texts = readonly (string | null)[]

/**
 * A batch that has reached this number of keys is not extended, because a larger command would delay other clients of the server.
 */
const maxKeys = 1_000

/**
 * Combines all reads of one iteration of the event loop into one command. Concurrent requests thus share a round trip, and a key
 * that several requests need is read once.
 */
export class CombinedReads {
  private batch: Batch | undefined

  constructor(private readonly readMany: (keys: readonly string[]) => Promise<Texts>) {}

  read(keys: readonly string[]): Promise<(string | null)[]> {
    const { batch = this.startBatch() } = this
    const positions = keys.map((key) => batch.add(key))
    if (batch.keys.length >= maxKeys) this.batch = undefined
    return batch.texts.then((texts) => positions.map((position) => texts[position] ?? null))
  }

  private startBatch(): Batch {
    const batch = new Batch((keys) => {
      if (this.batch === batch) this.batch = undefined
      return this.readMany(keys)
    })
    this.batch = batch
    return batch
  }
}

class Batch {
  readonly keys: string[] = []
  readonly texts: Promise<Texts>
  private readonly positions = new Map<string, number>()

  constructor(send: (keys: readonly string[]) => Promise<Texts>) {
    this.texts = new Promise((resolve) => setImmediate(() => resolve(send(this.keys))))
  }

  add(key: string): number {
    const known = this.positions.get(key)
    if (known !== undefined) return known
    this.positions.set(key, this.keys.length)
    return this.keys.push(key) - 1
  }
}
