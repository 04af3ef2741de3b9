import cluster, { type Worker } from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import { handOnWhenItDies } from './handed-on.js'
import { stopRequest, type WorkerMessage } from './primary.js'
import { watchPulse } from './pulse.js'
import { say } from './say.js'
import { carryBetween } from './siblings.js'

interface WorkersOptions {
  count: number
  /** How long each serves on when it was asked to stop */
  delayMs: number
  /** One that said nothing for so many seconds hangs: it is killed, and replaced. */
  silentSeconds: number
  log: (message: string) => void
}

interface End {
  code: number | null
  signal: NodeJS.Signals | null
}

/**
 * Several processes on one port, by node:cluster. This one, the primary, only supervises: every worker starts all that a single process
 * would, and shares nothing with the others but the port, Redis and Postgres. A worker lives as long as its channel to the primary.
 */
export class Workers {
  private readonly running = new Map<Worker, Promise<End>>()
  private readonly stopping = new AbortController()
  private stopped: Promise<void> | undefined
  private everReady = false

  constructor(private readonly options: WorkersOptions) {}

  /** Gives the address once all are ready. Rejects when the first one, which starts alone, ends before: what stopped it would stop all. */
  async start(): Promise<string> {
    // Left to themselves, workers share connections very unevenly: the one that is awake takes them all.
    cluster.schedulingPolicy = cluster.SCHED_RR
    const url = await this.fillPlace()
    await Promise.all(Array.from({ length: this.options.count - 1 }, () => this.fillPlace()))
    return url
  }

  /** Each finishes what is in flight; one that takes too long is killed. Rejects where one did not end in order. */
  stop(): Promise<void> {
    this.stopped ??= this.stopAll()
    return this.stopped
  }

  /** Whoever holds the place is replaced when it ends. Gives the address as soon as one is ready there. */
  private fillPlace(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.keepFilled(resolve).catch(reject)
    })
  }

  private async keepFilled(onReady: (url: string) => void): Promise<void> {
    for (let shortLives = 0; !this.stopping.signal.aborted; ) {
      const startedAt = performance.now()
      const end = await this.run(onReady).then(describe, (error: Error) => `could not be started (${error.message})`)
      if (this.stopping.signal.aborted) return
      if (!this.everReady) throw new WorkersError(`Not started: the first worker ${end}`)
      shortLives = performance.now() - startedAt < shortLifeMs ? shortLives + 1 : 0
      const delayMs = Math.min(firstDelayMs * 2 ** shortLives, longestDelayMs)
      this.options.log(`A worker ${end}, another one starts in ${delayMs} ms`)
      await sleep(delayMs, undefined, { signal: this.stopping.signal }).catch(() => undefined)
    }
  }

  private async run(onReady: (url: string) => void): Promise<End> {
    const worker = cluster.fork()
    worker.on('message', (message: unknown) => {
      if (!isState(message)) return
      // It may not have listened yet when all were asked.
      if (this.stopping.signal.aborted) askToStop(worker)
      if (message.state !== 'ready') return
      this.everReady = true
      onReady(message.url)
    })
    handOnWhenItDies(worker, () => [...this.running.keys()].filter((other) => other !== worker && other.isConnected()))
    carryBetween(worker, () => [...this.running.keys()])
    watchPulse(worker, this.options.silentSeconds, () => this.kill(worker))
    const end = endOf(worker).finally(() => this.running.delete(worker))
    this.running.set(worker, end)
    return end
  }

  /** It serves nobody, and would be handed its share of the connections for ever. */
  private kill(worker: Worker): void {
    const { pid } = worker.process
    this.options.log(
      `A worker (process ${pid}) has not said anything for ${this.options.silentSeconds} s: it hangs, and is killed`,
    )
    worker.process.kill('SIGKILL')
  }

  private async stopAll(): Promise<void> {
    this.stopping.abort()
    const workers = [...this.running.keys()]
    const kill = setTimeout(() => {
      for (const worker of workers) worker.process.kill('SIGKILL')
    }, this.options.delayMs + patienceMs)
    for (const worker of workers) askToStop(worker)
    const ends = await Promise.all(this.running.values())
    clearTimeout(kill)
    const disorderly = ends.filter((end) => !isInOrder(end))
    if (disorderly.length > 0)
      throw new WorkersError(`Not everything ended in order: a worker ${disorderly.map(describe).join(', one ')}`)
  }
}

/** How workers ended; why, they said themselves. */
export class WorkersError extends Error {
  override readonly name = 'WorkersError'
}

/** Not a signal: a service manager or a terminal may send one to all processes, and the second of a kind kills. */
function askToStop(worker: Worker): void {
  say(worker, stopRequest)
}

function endOf(worker: Worker): Promise<End> {
  return new Promise((resolve, reject) => {
    worker.once('exit', (code: number | null, signal: NodeJS.Signals | null) => resolve({ code, signal }))
    // Of one that runs, it is a message that found nobody; its end comes as an exit.
    worker.on('error', (error) => {
      if (worker.process.pid === undefined) reject(error)
    })
  })
}

/** Other code in the worker may send messages too: tsx does. */
function isState(message: unknown): message is WorkerMessage {
  return typeof message === 'object' && message !== null && 'state' in message
}

/** A signal that came before it was listened for, from a Ctrl-C say, was meant to end it. */
function isInOrder({ code, signal }: End): boolean {
  return code === 0 || signal === 'SIGINT' || signal === 'SIGTERM'
}

function describe({ code, signal }: End): string {
  return signal === null ? `ended with code ${code}` : `was ended by ${signal}`
}

const shortLifeMs = 10_000
const firstDelayMs = 50
const longestDelayMs = 10_000
/** A little less than the time that the whole process has to stop after the delay */
const patienceMs = 9_000
