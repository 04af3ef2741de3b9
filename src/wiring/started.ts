/** What runs, in the order of its start. */
export class Started {
  private readonly stops: (() => Promise<unknown>)[] = []
  private stopping: Promise<void> | undefined

  push(stop: () => Promise<unknown>): void {
    this.stops.push(stop)
  }

  /** All are stopped, the last first, even where one fails. Called twice, it is done once. */
  stop(): Promise<void> {
    this.stopping ??= this.stopAll()
    return this.stopping
  }

  private async stopAll(): Promise<void> {
    const failures: unknown[] = []
    for (const stop of this.stops.reverse()) await stop().catch((error) => failures.push(error))
    if (failures.length > 0) throw new AggregateError(failures, 'Not everything stopped in order')
  }
}
