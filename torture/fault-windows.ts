interface Window {
  name: string
  from: number
  to: number
}

/** The times when something was broken, and a while after. Times in ms on one clock. */
export class FaultWindows {
  private readonly faults: Window[] = []
  private readonly stalls: Window[] = []

  constructor(private readonly afterMs: number) {}

  /** Gives what is to be called when it is mended. */
  begin(name: string, now: () => number): () => void {
    const window = { name, from: now(), to: Number.POSITIVE_INFINITY }
    this.faults.push(window)
    return () => {
      window.to = now() + this.afterMs
    }
  }

  /** A process did not get to run for so long, though nobody stopped it: the machine has other things to do. */
  addStall(name: string, now: number, ms: number): void {
    this.stalls.push({ name, from: now - ms, to: now + this.afterMs })
  }

  /** The names of what was broken at some time from `from` to `to`, or shortly before. */
  faultsDuring(from: number, to: number): string[] {
    return namesDuring(this.faults, from, to)
  }

  stallsDuring(from: number, to: number): string[] {
    return namesDuring(this.stalls, from, to)
  }
}

function namesDuring(windows: readonly Window[], from: number, to: number): string[] {
  return windows.filter((window) => window.from <= to && from <= window.to).map(({ name }) => name)
}
