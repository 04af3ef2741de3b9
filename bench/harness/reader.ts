import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** A process that reads from Redis continuously and reports the latencies. */
export class Reader {
  private readonly child: ChildProcess
  private readonly exited: Promise<unknown>

  constructor(file: string, redisUrl: string, keys: readonly string[]) {
    this.child = fork(file, [redisUrl], { execArgv: ['--import', 'tsx'], serialization: 'advanced' })
    this.child.send(keys)
    this.exited = once(this.child, 'exit')
  }

  /** Latencies of the reads that ended between two times of the wall clock, in milliseconds */
  async latenciesMs(from: number, to: number): Promise<number[]> {
    this.child.send({ from, to })
    const answer = await Promise.race([once(this.child, 'message'), this.exited.then(() => null)])
    if (answer === null) throw new Error('The reader process ended unexpectedly')
    return answer[0]
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGKILL')
    await this.exited
  }
}
