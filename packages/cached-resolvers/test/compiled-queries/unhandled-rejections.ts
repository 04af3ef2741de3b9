import { setImmediate } from 'node:timers/promises'

/** Collects unhandled rejections, which would otherwise end the process, for the test to check. */
export class UnhandledRejections {
  private readonly others = process.listeners('unhandledRejection')
  private errors: unknown[] = []
  private readonly listener = (error: unknown) => this.errors.push(error)

  constructor() {
    process.removeAllListeners('unhandledRejection')
    process.on('unhandledRejection', this.listener)
  }

  /** Returns the rejections since the last call, including pending ones. */
  async take(): Promise<unknown[]> {
    for (let turn = 0; turn < 3; turn += 1) await setImmediate()
    const errors = this.errors
    this.errors = []
    return errors
  }

  stop(): void {
    process.off('unhandledRejection', this.listener)
    for (const other of this.others) process.on('unhandledRejection', other)
  }
}
