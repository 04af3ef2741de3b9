import DataLoader from 'dataloader'
import { type Caller, waitAs } from '../cache/caller.js'

/** What is at hand, or what is on its way. */
export type Loadable<V> = V | Promise<V>

/** Answers in the order asked. What somebody else is fetching may be a promise. */
export type Batch<Key, V> = (keys: readonly Key[], caller: Caller) => Promise<ArrayLike<V | Error>>

export interface LoaderOptions<Key, V> {
  /** What this process holds, without asking anybody; undefined where that is nothing. */
  near: (key: Key) => V | undefined
  batch: Batch<Key, V>
  /** Who loads; asked for only where that takes a batch */
  caller: () => Caller
  /** Where keys are no strings: equal texts for equal keys */
  textOf?: (key: Key) => string
}

/** A DataLoader that answers at once, without a promise, where the process holds the value; all else of a tick is one batch. */
export class Loader<Key, V> {
  private batches: DataLoader<Key, V, unknown> | undefined

  constructor(private readonly options: LoaderOptions<Key, V>) {}

  load(key: Key): Loadable<V> {
    const { near, textOf } = this.options
    const known = near(key)
    if (known !== undefined) return known
    this.batches ??= new DataLoader<Key, V, unknown>((keys) => this.loadBatch(keys), textOf ? { cacheKeyFn: textOf } : {})
    return this.batches.load(key)
  }

  /** What was loaded is loaded anew. */
  clearAll(): void {
    this.batches = undefined
  }

  /** What nobody waits for any more is not begun. */
  private loadBatch(keys: readonly Key[]): Promise<ArrayLike<V | Error>> {
    const caller = this.options.caller()
    return caller.gaveUp ? Promise.reject(caller.gaveUp) : waitAs(caller, this.options.batch(keys, caller))
  }
}

/** Uses a value when it is there: at once, where it is. */
export function whenLoaded<V, R>(loadable: Loadable<V>, use: (value: V) => Loadable<R>): Loadable<R> {
  return loadable instanceof Promise ? loadable.then(use) : use(loadable)
}

/** Uses values when they are all there: at once, where they are. */
export function whenAllLoaded<V, R>(loadables: readonly Loadable<V>[], use: (values: readonly V[]) => R): Loadable<R> {
  const wait = loadables.some((loadable) => loadable instanceof Promise)
  return wait ? Promise.all(loadables).then(use) : use(loadables as readonly V[])
}
