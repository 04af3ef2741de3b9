import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Outcome, Task } from './world/serve.js'

/** A thread with the bundled world in it, which runs one task at a time. */
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

/** Works through the items, as many at once as there are cores. */
export async function onAllCores<T>(items: Iterable<T>, work: (item: T, core: number) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]()
  const goOn = async (core: number): Promise<void> => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) await work(next.value, core)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, (_, core) => goOn(core)))
}
