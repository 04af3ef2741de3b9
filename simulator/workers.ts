import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Outcome, Task } from './world/serve.js'

/** A worker thread that has loaded the bundle and runs one task at a time. */
export class SimulationWorker {
  private readonly worker: Worker

  constructor(code: string) {
    this.worker = new Worker(`${code}\nmodule.exports.serve(require('node:worker_threads').parentPort)`, { eval: true })
  }

  async run(task: Task): Promise<Outcome> {
    this.worker.postMessage(task)
    const [outcome] = (await once(this.worker, 'message')) as [Outcome]
    return outcome
  }

  async stop(): Promise<void> {
    await this.worker.terminate()
  }
}

/** Calls `work` for each item, on as many items at a time as there are cores. `core` numbers the concurrent calls. */
export async function onAllCores<T>(items: Iterable<T>, work: (item: T, core: number) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]()
  const runAll = async (core: number): Promise<void> => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) await work(next.value, core)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, (_, core) => runAll(core)))
}
