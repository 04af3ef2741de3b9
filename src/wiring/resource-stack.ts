/** A stack of started resources, which are stopped in reverse order */
export class ResourceStack {
  private readonly stops: (() => Promise<unknown>)[] = []
  private stopping: Promise<void> | undefined

  push(stop: () => Promise<unknown>): void {
    this.stops.push(stop)
  }

  /**
   * Stops all resources, the last started first. If a resource fails to stop, the other resources are stopped nevertheless, and
   * the promise rejects afterwards. Repeated calls return the same promise.
   */
  stop(): Promise<void> {
    this.stopping ??= this.stopAll()
    return this.stopping
  }

  private async stopAll(): Promise<void> {
    const failures: unknown[] = []
    for (const stop of this.stops.reverse()) await stop().catch((error) => failures.push(error))
    if (failures.length > 0) throw new AggregateError(failures, 'Some resources could not be stopped')
  }
}
