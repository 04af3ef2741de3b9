import type { EntryId } from './namespace.js'
import type { SharedFetch } from './shared-fetch.js'

export interface Flight<V = unknown> {
  fetch: SharedFetch<EntryId, V>
  /** Of the value, as that fetch was asked for it */
  id: EntryId
}

/**
 * The fetches under way in this process. A caller joins one only where it may: where it has seen the very lease that the fetch
 * holds, so that nothing was invalidated since; or, with the store away, where the fetch has not started yet.
 */
export class Flights {
  private readonly flights = new Map<string, Flight>()

  /** `name` is the lease and the generation under which it was taken, or the key where there is no lease. */
  find<V>(name: string): Flight<V> | undefined {
    const flight = this.flights.get(name) as Flight<V> | undefined
    return flight?.fetch.isAborted ? undefined : flight
  }

  /** `until` is when it may be forgotten: its fill can be read, or never will. */
  add(name: string, flight: Flight, until: Promise<unknown>): void {
    this.flights.set(name, flight)
    const end = () => {
      if (this.flights.get(name) === flight) this.flights.delete(name)
    }
    until.then(end, end)
  }

  /** Nobody joins any of those under way. */
  disownAll(): void {
    this.flights.clear()
  }

  /** Nobody joins the fetches of these keys, or of keys below them, any more. */
  disown(keys: readonly string[]): void {
    for (const name of this.flights.keys()) {
      if (keys.some((key) => name === key || name.startsWith(`${key}:`))) this.flights.delete(name)
    }
  }
}
