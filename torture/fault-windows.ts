interface Window {
  name: string
  from: number
  to: number
}

/** The time windows of faults, each extended by `afterMs`. All times in ms of the same clock. */
export class FaultWindows {
  private readonly faults: Window[] = []
  private readonly stalls: Window[] = []

  constructor(private readonly afterMs: number) {}

  /** Starts a window. Returns a function to call when the fault is over. */
  begin(name: string, now: () => number): () => void {
    const window = { name, from: now(), to: Number.POSITIVE_INFINITY }
    this.faults.push(window)
    return () => {
      window.to = now() + this.afterMs
    }
  }

  /** Records that a process was not scheduled for the last `ms` milliseconds because the machine was busy. */
  addStall(name: string, now: number, ms: number): void {
    this.stalls.push({ name, from: now - ms, to: now + this.afterMs })
  }

  /** The names of the faults whose windows overlap with `from` to `to` */
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
