/** The times when something was broken, and a while after. Times in ms on one clock. */
export class FaultWindows {
  private readonly windows: { from: number; to: number }[] = []

  constructor(private readonly afterMs: number) {}

  /** Gives what is to be called when it is mended. */
  begin(now: () => number): () => void {
    const window = { from: now(), to: Number.POSITIVE_INFINITY }
    this.windows.push(window)
    return () => {
      window.to = now() + this.afterMs
    }
  }

  overlap(from: number, to: number): boolean {
    return this.windows.some((window) => window.from <= to && from <= window.to)
  }
}
