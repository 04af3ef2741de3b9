import type { EntryId } from './namespace.js'
import type { SharedFetch } from './shared-fetch.js'

export interface InFlightFetch<V = unknown> {
  fetch: SharedFetch<EntryId, V>
  /** The id under which the fetch returns the value */
  id: EntryId
}

/**
 * The fetches in flight in this process. A caller may join a fetch only if the fetch cannot return a value older than the
 * caller's read:
 * - A fetch with a lease may be joined by a caller that has read this lease and the generation in which it was taken, because an
 *   invalidation removes the lease or the generation.
 * - A fetch without a lease may be joined until it has started.
 */
export class InFlightFetches {
  private readonly fetches = new Map<string, InFlightFetch>()

  /**
   * `name` consists of the lease and the generation in which the lease was taken. The name of a fetch without a lease is the key.
   */
  find<V>(name: string): InFlightFetch<V> | undefined {
    const inFlight = this.fetches.get(name) as InFlightFetch<V> | undefined
    return inFlight?.fetch.isAborted ? undefined : inFlight
  }

  /** Adds a fetch. The fetch is removed when `filled` settles: the filled entry can then be read, or the fill has failed. */
  add(name: string, inFlight: InFlightFetch, filled: Promise<unknown>): void {
    this.fetches.set(name, inFlight)
    const remove = () => {
      if (this.fetches.get(name) === inFlight) this.fetches.delete(name)
    }
    filled.then(remove, remove)
  }

  /** Ensures that no caller joins a fetch that is in flight now. */
  forgetAll(): void {
    this.fetches.clear()
  }

  /**
   * Ensures that no caller joins a fetch without a lease whose key is one of these keys, or an entry of an invalidated list or
   * namespace (its key begins with one of these keys). Fetches with a lease need not be forgotten.
   */
  forget(keys: readonly string[]): void {
    for (const name of this.fetches.keys()) {
      if (keys.some((key) => name === key || name.startsWith(`${key}:`))) this.fetches.delete(name)
    }
  }
}
