import type { EntryId, Parameters } from './namespace.js'

/** A key, and an estimate of how often it was read */
export interface HotKey {
  namespace: string
  /** The id of an entry, or the name of a list */
  idOrList: string
  /** The parameters of an entry of a list, such as the size of a page; absent for other entries, and if they are too long */
  parameters?: Parameters
  reads: number
}

export interface SampledReads {
  /** An estimate of the number of reads of all keys */
  reads: number
  /** The keys that were read most often, most reads first */
  hotKeys: HotKey[]
}

/**
 * Estimates how often each key is read, from a random sample of the reads. At first every read is sampled. Each time another
 * `samplesUntilHalving` reads have been sampled, the sampling rate is halved, and each of the following samples counts for twice as
 * many reads. Few reads are thus counted exactly, and of N reads only about `samplesUntilHalving` * log2(N / `samplesUntilHalving`)
 * are sampled, which limits the time and the memory. Which reads are sampled is random, because a fixed distance could coincide
 * with a pattern of the reads.
 */
export class ReadSampler {
  /** How many reads a sample stands for */
  private weight = 1
  private readsUntilSample = 1
  private samples = 0
  private reads = 0
  private readonly keys = new Map<string, HotKey>()

  /** `random`: 0 (inclusive) to 1 (exclusive) */
  constructor(private readonly random: () => number) {}

  onRead(namespace: string, id: EntryId): void {
    this.readsUntilSample -= 1
    if (this.readsUntilSample === 0) this.sample(namespace, id)
  }

  onReads(namespace: string, ids: readonly EntryId[]): void {
    this.readsUntilSample -= ids.length
    // `readsUntilSample` is now 0 if the last id is to be sampled, -1 if the id before it is, and so on.
    while (this.readsUntilSample <= 0) this.sample(namespace, ids[ids.length - 1 + this.readsUntilSample] as EntryId)
  }

  /** Returns the reads since the previous call, with the `maxKeys` keys that were read most often. */
  take(maxKeys: number): SampledReads {
    const hotKeys = [...this.keys.values()].sort((a, b) => b.reads - a.reads).slice(0, maxKeys)
    const taken = { reads: this.reads, hotKeys }
    this.weight = 1
    this.readsUntilSample = 1
    this.samples = 0
    this.reads = 0
    this.keys.clear()
    return taken
  }

  private sample(namespace: string, id: EntryId): void {
    const key = this.keyOf(namespace, id)
    key.reads += this.weight
    this.reads += this.weight
    this.samples += 1
    if (this.samples % samplesUntilHalving === 0) this.weight *= 2
    this.readsUntilSample += this.drawDistance()
  }

  private keyOf(namespace: string, id: EntryId): HotKey {
    const idOrList = shorten(typeof id === 'string' ? id : id.list)
    const parameters = typeof id === 'string' ? '' : JSON.stringify(id.parameters)
    const isShort = parameters.length <= maxLength
    const text = `${namespace} ${idOrList} ${isShort ? parameters : ''}`
    const known = this.keys.get(text)
    if (known) return known
    const key: HotKey = { namespace, idOrList, reads: 0, ...(typeof id !== 'string' && isShort && { parameters: id.parameters }) }
    this.keys.set(text, key)
    return key
  }

  /**
   * Returns the distance to the next sample, from the geometric distribution with the mean `weight`: each read is sampled with the
   * same probability, whichever reads were sampled before.
   */
  private drawDistance(): number {
    if (this.weight === 1) return 1
    return 1 + Math.floor(Math.log(1 - this.random()) / Math.log(1 - 1 / this.weight))
  }
}

/** Clients choose ids, which may be long. Ids and lists that begin with the same characters are then counted together. */
function shorten(idOrList: string): string {
  return idOrList.length <= maxLength ? idOrList : `${idOrList.slice(0, maxLength)}…`.toWellFormed()
}

const samplesUntilHalving = 256
/**
 * Maximum length of the names and parameters of hot keys, in characters: longer names are cut off, longer parameters are left out.
 */
const maxLength = 200
