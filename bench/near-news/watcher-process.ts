import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Order, Task, WatcherReport } from './messages.js'

/** A process with a near store, seen from the one that measures */
export class WatcherProcess {
  /** It has read all that Redis holds. */
  readonly primed: Promise<unknown>
  private readonly child: ChildProcess
  private readonly died: Promise<never>

  constructor(task: Task) {
    this.child = fork(fileURLToPath(new URL('watch.ts', import.meta.url)), [JSON.stringify(task)])
    this.died = once(this.child, 'exit').then(([code]) => {
      throw new Error(`a watching process ended with ${code}`)
    })
    this.died.catch(() => undefined)
    this.primed = this.nextMessage()
  }

  tell(order: Order): void {
    this.child.send(order)
  }

  async finish(): Promise<WatcherReport> {
    const report = this.nextMessage()
    this.tell('stop')
    return (await report) as WatcherReport
  }

  kill(): void {
    this.child.kill()
  }

  private async nextMessage(): Promise<unknown> {
    const [message] = await Promise.race([once(this.child, 'message'), this.died])
    return message
  }
}
