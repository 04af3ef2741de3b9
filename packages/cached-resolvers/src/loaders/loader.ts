import DataLoader from 'dataloader'
import { type Caller, waitAs } from '../cache/caller.js'

/** What is at hand, or what is on its way. */
export type Loadable<V> = V | Promise<V>

/** Answers in the order asked; no key comes twice. What somebody else is fetching may be a promise. */
export type Batch<Key, V> = (keys: readonly Key[], caller: Caller) => Promise<ArrayLike<Loadable<V>>>

export interface LoaderOptions<Key, V> {
  /** What this process holds, without asking anybody; undefined where that is nothing. */
  near: (key: Key) => V | undefined
  batch: Batch<Key, V>
  /** Who loads; asked for only where that takes a batch */
  caller: () => Caller
  /** Where keys are no strings: equal texts for equal keys */
  textOf?: (key: Key) => string
}

/** One key, or several that are loaded together */
type Wanted<Key> = Key | readonly Key[]
type Given<V> = Loadable<V> | readonly Loadable<V>[]

/** Of one batch: what was found, or failed; a promise until then */
interface Loaded<V> {
  positions: ReadonlyMap<unknown, number>
  values: Loadable<ArrayLike<Loadable<V>>>
}

/** A DataLoader that answers at once, without a promise, where the process holds the value; all else of a tick is one batch. */
export class Loader<Key extends string | object, V> {
  private loads: DataLoader<Wanted<Key>, Given<V>> | undefined
  private loaded: Loaded<V>[] = []

  constructor(private readonly options: LoaderOptions<Key, V>) {}

  load(key: Key): Loadable<V> {
    const known = this.atHand(key)
    return known === undefined ? (this.want(key) as Promise<V>) : known
  }

  /** All of them for one promise, in which those may be promises that somebody else is fetching, or that failed. */
  loadMany(keys: readonly Key[]): Loadable<readonly Loadable<V>[]> {
    const known = keys.map((key) => this.atHand(key))
    const missing = keys.filter((_, index) => known[index] === undefined)
    if (missing.length === 0) return known as V[]
    const wanted = this.want(missing) as Promise<readonly Loadable<V>[]>
    if (missing.length === keys.length) return wanted
    return wanted.then((values) => {
      let next = 0
      return known.map((value) => (value === undefined ? values[next++] : value) as Loadable<V>)
    })
  }

  /** What was loaded is loaded anew. */
  clearAll(): void {
    this.loads = undefined
    this.loaded = []
  }

  private atHand(key: Key): Loadable<V> | undefined {
    const loaded = this.findLoaded(key)
    return loaded === undefined ? this.options.near(key) : loaded
  }

  private findLoaded(key: Key): Loadable<V> | undefined {
    if (this.loaded.length === 0) return undefined
    const text = this.textOf(key)
    for (const { positions, values } of this.loaded) {
      const position = positions.get(text)
      if (position === undefined) continue
      return values instanceof Promise ? values.then((its) => its[position] as V) : values[position]
    }
    return undefined
  }

  private want(wanted: Wanted<Key>): Promise<Given<V>> {
    // What is loaded twice is found by key here; the DataLoader would remember lists of keys.
    this.loads ??= new DataLoader<Wanted<Key>, Given<V>>((all) => this.loadBatch(all), { cache: false })
    return this.loads.load(wanted)
  }

  private async loadBatch(all: readonly Wanted<Key>[]): Promise<Given<V>[]> {
    const keys: Key[] = []
    const positions = new Map<unknown, number>()
    const place = (key: Key): number => {
      const text = this.textOf(key)
      const known = positions.get(text)
      if (known !== undefined) return known
      positions.set(text, keys.length)
      return keys.push(key) - 1
    }
    const places = all.map((wanted) => (isMany(wanted) ? wanted.map(place) : place(wanted)))
    const loaded: Loaded<V> = { positions, values: this.readBatch(keys) }
    this.loaded.push(loaded)
    const values = await loaded.values
    loaded.values = values
    const at = (position: number) => values[position] as Loadable<V>
    return places.map((its) => (typeof its === 'number' ? at(its) : its.map(at)))
  }

  /** Never rejects: a batch that failed is one failure for each of its keys. What nobody waits for any more is not begun. */
  private async readBatch(keys: readonly Key[]): Promise<ArrayLike<Loadable<V>>> {
    try {
      const caller = this.options.caller()
      if (caller.gaveUp) throw caller.gaveUp
      return await waitAs(caller, this.options.batch(keys, caller))
    } catch (error) {
      const failure = Promise.reject<V>(error)
      // Not all may be waited for.
      failure.catch(() => undefined)
      return keys.map(() => failure)
    }
  }

  private textOf(key: Key): unknown {
    return this.options.textOf ? this.options.textOf(key) : key
  }
}

function isMany<Key extends string | object>(wanted: Wanted<Key>): wanted is readonly Key[] {
  return Array.isArray(wanted)
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
