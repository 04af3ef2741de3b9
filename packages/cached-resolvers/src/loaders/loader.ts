import DataLoader from 'dataloader'
import { type Cancellation, waitUnlessCancelled } from '../cache/cancellation.js'

/** A value that is available now, or a promise of it. */
export type PromiseOrValue<V> = V | Promise<V>

/**
 * Loads distinct keys and returns their values in the order of the keys. A value that is still being fetched, by this or another
 * request, may be a promise.
 */
export type Batch<Key, V> = (keys: readonly Key[], cancellation: Cancellation) => Promise<ArrayLike<PromiseOrValue<V>>>

export interface LoaderOptions<Key, V> {
  /** Reads a value from the near store, without I/O; undefined if the near store has no entry. Omit it if there is no near store. */
  readNear?: ((key: Key) => V | undefined) | undefined
  batch: Batch<Key, V>
  /** Returns the cancellation of the request. Called only when a batch is needed. */
  cancellation: () => Cancellation
  /** Returns a string by which keys are compared. Needed for keys that are not strings. */
  cacheKeyOf?: (key: Key) => string
}

/** One key, or several keys that are loaded together */
type KeyOrKeys<Key> = Key | readonly Key[]
type Result<V> = PromiseOrValue<V> | readonly PromiseOrValue<V>[]

/**
 * A batch that this loader has started. `values` is a promise while the batch runs. Afterwards it is the list of values by
 * position; a value may itself be a promise that is pending or rejected.
 */
interface StartedBatch<V> {
  positions: ReadonlyMap<unknown, number>
  values: PromiseOrValue<ArrayLike<PromiseOrValue<V>>>
}

/**
 * A DataLoader that returns values in the near store without a promise. All other keys that are requested until DataLoader
 * dispatches (by process.nextTick, after pending promise callbacks) are one batch.
 */
export class Loader<Key extends string | object, V> {
  private dataLoader: DataLoader<KeyOrKeys<Key>, Result<V>> | undefined
  private startedBatches: StartedBatch<V>[] = []

  constructor(private readonly options: LoaderOptions<Key, V>) {}

  load(key: Key): PromiseOrValue<V> {
    const known = this.peek(key)
    return known === undefined ? (this.enqueue(key) as Promise<V>) : known
  }

  /**
   * Loads several keys with a single promise of all values. A value in the result is itself a promise if the value is still being
   * fetched, by this or another request, or if the fetch of the value failed.
   */
  loadMany(keys: readonly Key[]): PromiseOrValue<readonly PromiseOrValue<V>[]> {
    if (!this.mayKnow && keys.length > 0) return this.enqueue(keys) as Promise<readonly PromiseOrValue<V>[]>
    const known = keys.map((key) => this.peek(key))
    const missing = keys.filter((_, index) => known[index] === undefined)
    if (missing.length === 0) return known as V[]
    const loading = this.enqueue(missing) as Promise<readonly PromiseOrValue<V>[]>
    if (missing.length === keys.length) return loading
    return loading.then((values) => {
      let next = 0
      return known.map((value) => (value === undefined ? values[next++] : value) as PromiseOrValue<V>)
    })
  }

  /** Forgets all loaded values, so that later calls load them again. */
  clearAll(): void {
    this.dataLoader = undefined
    this.startedBatches = []
  }

  /** Whether any value may be available without I/O */
  private get mayKnow(): boolean {
    return this.options.readNear !== undefined || this.startedBatches.length > 0
  }

  private peek(key: Key): PromiseOrValue<V> | undefined {
    const loaded = this.findInBatches(key)
    return loaded === undefined ? this.options.readNear?.(key) : loaded
  }

  private findInBatches(key: Key): PromiseOrValue<V> | undefined {
    if (this.startedBatches.length === 0) return undefined
    const cacheKey = this.cacheKeyOf(key)
    for (const { positions, values } of this.startedBatches) {
      const position = positions.get(cacheKey)
      if (position === undefined) continue
      return values instanceof Promise ? values.then((loaded) => loaded[position] as V) : values[position]
    }
    return undefined
  }

  private enqueue(keyOrKeys: KeyOrKeys<Key>): Promise<Result<V>> {
    // The cache of DataLoader is off because it compares arrays of keys by identity. findInBatches() finds values by single keys
    // instead.
    this.dataLoader ??= new DataLoader<KeyOrKeys<Key>, Result<V>>((all) => this.loadBatch(all), { cache: false })
    return this.dataLoader.load(keyOrKeys)
  }

  private async loadBatch(all: readonly KeyOrKeys<Key>[]): Promise<Result<V>[]> {
    const keys: Key[] = []
    const positions = new Map<unknown, number>()
    const addKey = (key: Key): number => {
      const cacheKey = this.cacheKeyOf(key)
      const known = positions.get(cacheKey)
      if (known !== undefined) return known
      positions.set(cacheKey, keys.length)
      return keys.push(key) - 1
    }
    const requestedPositions = all.map((keyOrKeys) => (isMany(keyOrKeys) ? keyOrKeys.map(addKey) : addKey(keyOrKeys)))
    const batch: StartedBatch<V> = { positions, values: this.startBatch(keys) }
    this.startedBatches.push(batch)
    let values: ArrayLike<PromiseOrValue<V>>
    try {
      values = await batch.values
    } catch (error) {
      values = keys.map(() => failedValue(error))
    }
    batch.values = values
    const valueAt = (position: number) => values[position] as PromiseOrValue<V>
    return requestedPositions.map((oneOrMany) => (typeof oneOrMany === 'number' ? valueAt(oneOrMany) : oneOrMany.map(valueAt)))
  }

  /** Does not start a batch for a cancelled request, and rejects as soon as the request is cancelled, even if the store does not answer. */
  private startBatch(keys: readonly Key[]): Promise<ArrayLike<PromiseOrValue<V>>> {
    const cancellation = this.options.cancellation()
    if (cancellation.reason) return Promise.reject(cancellation.reason)
    return waitUnlessCancelled(cancellation, this.options.batch(keys, cancellation))
  }

  private cacheKeyOf(key: Key): unknown {
    return this.options.cacheKeyOf ? this.options.cacheKeyOf(key) : key
  }
}

function isMany<Key extends string | object>(keyOrKeys: KeyOrKeys<Key>): keyOrKeys is readonly Key[] {
  return Array.isArray(keyOrKeys)
}

/** Returns a rejected promise that Node does not report as an unhandled rejection, even if no field awaits it. */
function failedValue(error: unknown): Promise<never> {
  const failure = Promise.reject(error)
  failure.catch(() => undefined)
  return failure
}

/** Like promise.then(), but calls `use` synchronously if the value is available now. */
export function whenLoaded<V, R>(value: PromiseOrValue<V>, use: (value: V) => PromiseOrValue<R>): PromiseOrValue<R> {
  return value instanceof Promise ? value.then(use) : use(value)
}

/** Like Promise.all().then(), but calls `use` synchronously if all values are available now. */
export function whenAllLoaded<V, R>(values: readonly PromiseOrValue<V>[], use: (values: readonly V[]) => R): PromiseOrValue<R> {
  const anyPending = values.some((value) => value instanceof Promise)
  return anyPending ? Promise.all(values).then(use) : use(values as readonly V[])
}
