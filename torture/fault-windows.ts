/** The times when something was broken, and a while after. Times in ms on one clock. */
export class FaultWindows {
  private readonly windows: { name: string; from: number; to: number }[] = []

  constructor(private readonly afterMs: number) {}

  /** Gives what is to be called when it is mended. */
  begin(name: string, now: () => number): () => void {
    const window = { name, from: now(), to: Number.POSITIVE_INFINITY }
    this.windows.push(window)
    return () => {
      window.to = now() + this.afterMs
    }
  }

  /** The names of what was broken at some time from `from` to `to`, or shortly before. */
  during(from: number, to: number): string[] {
    return this.windows.filter((window) => window.from <= to && from <= window.to).map(({ name }) => name)
  }
}
