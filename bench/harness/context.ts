/** Functions that undo what was started. `stop` runs them in reverse order and logs errors. */
export class CleanupStack {
  private readonly cleanups: (() => Promise<unknown>)[] = []
  private stopped = false

  /** If `stop` was already called, the function is run at once. */
  push(cleanup: () => Promise<unknown>): void {
    if (this.stopped) void cleanup().catch(() => undefined)
    else this.cleanups.push(cleanup)
  }

  async stop(): Promise<void> {
    this.stopped = true
    for (const cleanup of this.cleanups.reverse()) await cleanup().catch((error) => console.error(error))
  }
}

/** Passed to every command */
export interface BenchContext {
  print: (line: string) => void
  cleanups: CleanupStack
}
