/** What has to be undone, in reverse order, whatever happens. */
export class Stops {
  private readonly stops: (() => Promise<unknown>)[] = []
  private stopped = false

  /** What is started while everything is being stopped is stopped at once. */
  push(stop: () => Promise<unknown>): void {
    if (this.stopped) void stop().catch(() => undefined)
    else this.stops.push(stop)
  }

  async stop(): Promise<void> {
    this.stopped = true
    for (const stop of this.stops.reverse()) await stop().catch((error) => console.error(error))
  }
}

/** What every command gets. */
export interface World {
  print: (line: string) => void
  stops: Stops
}
