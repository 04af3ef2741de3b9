import type { EntryId } from './namespace.js'
import type { SharedFetch } from './shared-fetch.js'

export interface InFlightFetch<V = unknown> {
  fetch: SharedFetch<EntryId, V>
  /** The id under which the fetch returns the value */
  id: EntryId
}

/**
 * The fetches in flight in this process. A caller may join a fetch only if the fetch cannot return a value older than the
 * caller's read. That is so if the caller has read the lease that the fetch holds, because an invalidation would have removed the
 * lease. For a fetch without a lease, it is so until the fetch has started.
 */
export class InFlightFetches {
  private readonly fetches = new Map<string, InFlightFetch>()

  /** `name` consists of the lease and the generation in which it was taken; for a fetch without a lease, it is the key. */
  find<V>(name: string): InFlightFetch<V> | undefined {
    const inFlight = this.fetches.get(name) as InFlightFetch<V> | undefined
    return inFlight?.fetch.isAborted ? undefined : inFlight
  }

  /** Adds a fetch. It is removed when `filled` settles: the filled entry can then be read, or the fill has failed. */
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

  /** Like forgetAll, but only for the fetches without a lease of these keys, and of entries whose keys start with these keys. */
  forget(keys: readonly string[]): void {
    for (const name of this.fetches.keys()) {
      if (keys.some((key) => name === key || name.startsWith(`${key}:`))) this.fetches.delete(name)
    }
  }
}
