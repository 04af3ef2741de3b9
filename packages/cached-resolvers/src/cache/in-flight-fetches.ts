import type { EntryId } from './namespace.js'
import type { SharedFetch } from './shared-fetch.js'

export interface InFlightFetch<V = unknown> {
  fetch: SharedFetch<EntryId, V>
  /** The id under which the fetch returns the value */
  id: EntryId
}

/**
 * The fetches in flight in this process. A caller may join a fetch only if it cannot return a value older than the caller's read:
 * if the caller read the lease that the fetch holds, so nothing was invalidated since; or, if the store is unavailable, if the
 * fetch has not started yet.
 */
export class InFlightFetches {
  private readonly fetches = new Map<string, InFlightFetch>()

  /** `name`: the lease and the generation under which it was taken; the key if there is no lease. */
  find<V>(name: string): InFlightFetch<V> | undefined {
    const inFlight = this.fetches.get(name) as InFlightFetch<V> | undefined
    return inFlight?.fetch.isAborted ? undefined : inFlight
  }

  /** The fetch is forgotten when `filled` settles: its fill can then be read, or has failed. */
  add(name: string, inFlight: InFlightFetch, filled: Promise<unknown>): void {
    this.fetches.set(name, inFlight)
    const remove = () => {
      if (this.fetches.get(name) === inFlight) this.fetches.delete(name)
    }
    filled.then(remove, remove)
  }

  /** No caller joins any of the fetches in flight any more. */
  forgetAll(): void {
    this.fetches.clear()
  }

  /** No caller joins the fetches of these keys, or of keys below them, any more. */
  forget(keys: readonly string[]): void {
    for (const name of this.fetches.keys()) {
      if (keys.some((key) => name === key || name.startsWith(`${key}:`))) this.fetches.delete(name)
    }
  }
}
