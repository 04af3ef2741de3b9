import { setImmediate } from 'node:timers/promises'

/** Rejections that nobody handles. They would end the process; here they are for the test to judge. */
export class Forgotten {
  private readonly others = process.listeners('unhandledRejection')
  private errors: unknown[] = []
  private readonly listener = (error: unknown) => this.errors.push(error)

  constructor() {
    process.removeAllListeners('unhandledRejection')
    process.on('unhandledRejection', this.listener)
  }

  /** Those since the last call, with what is just about to be rejected */
  async take(): Promise<unknown[]> {
    for (let turn = 0; turn < 3; turn += 1) await setImmediate()
    const taken = this.errors
    this.errors = []
    return taken
  }

  stop(): void {
    process.off('unhandledRejection', this.listener)
    for (const other of this.others) process.on('unhandledRejection', other)
  }
}
