/**
 * The fetches under way in this process. A caller joins one only where it may: where it has seen the very lease that the fetch
 * holds, so that nothing was invalidated since; or, with the store away, where no invalidation has disowned it.
 */
export class Flights {
  private readonly values = new Map<string, Promise<unknown>>()

  /** `name` is the lease and the generation under which it was taken, or the key where there is no lease. */
  find<V>(name: string): Promise<V | null> | undefined {
    return this.values.get(name) as Promise<V | null> | undefined
  }

  /** `until` is when it may be forgotten: its fill can be read, or never will. */
  add(name: string, value: Promise<unknown>, until: Promise<unknown>): void {
    this.values.set(name, value)
    const end = () => {
      if (this.values.get(name) === value) this.values.delete(name)
    }
    until.then(end, end)
  }

  /** Nobody joins any of those under way. */
  disownAll(): void {
    this.values.clear()
  }

  /** Nobody joins the fetches of these keys, or of keys below them, any more. */
  disown(keys: readonly string[]): void {
    for (const name of this.values.keys()) {
      if (keys.some((key) => name === key || name.startsWith(`${key}:`))) this.values.delete(name)
    }
  }
}
