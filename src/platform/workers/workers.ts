import cluster, { type Worker } from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchHeartbeat } from './heartbeat.js'
import { sendMessage } from './ipc.js'
import { stopRequest, type WorkerMessage } from './primary.js'
import { redispatchConnections } from './redispatch.js'
import { forwardSiblingMessages } from './sibling-metrics.js'

interface WorkersOptions {
  count: number
  /** How long each worker continues to serve after the stop request */
  shutdownDelayMs: number
  /** A worker without a heartbeat for this long is assumed to hang, and is killed and replaced. */
  heartbeatTimeoutSeconds: number
  log: (message: string) => void
}

interface WorkerExit {
  code: number | null
  signal: NodeJS.Signals | null
}

/**
 * Runs several processes on one port, by node:cluster. This process, the primary, only supervises. Every worker starts everything
 * that a single process would start, and shares only the port, Redis and Postgres with the other workers. A worker stops when its
 * IPC channel to the primary closes.
 */
export class Workers {
  private readonly running = new Map<Worker, Promise<WorkerExit>>()
  private readonly stopping = new AbortController()
  private stopped: Promise<void> | undefined
  private anyWorkerHasBeenReady = false

  constructor(private readonly options: WorkersOptions) {}

  /**
   * Resolves to the URL once all workers are ready. The first worker starts alone. If it exits before it is ready, start()
   * rejects, because the other workers would fail too.
   */
  async start(): Promise<string> {
    // Without round-robin, the operating system distributes connections very unevenly among the workers.
    cluster.schedulingPolicy = cluster.SCHED_RR
    const url = await this.startWorker()
    await Promise.all(Array.from({ length: this.options.count - 1 }, () => this.startWorker()))
    return url
  }

  /**
   * Lets every worker finish its requests in flight, and kills workers that take too long. Rejects if a worker did not exit
   * cleanly.
   */
  stop(): Promise<void> {
    this.stopped ??= this.stopAll()
    return this.stopped
  }

  /** Starts a worker that is replaced whenever it exits. Resolves to the URL as soon as it is ready. */
  private startWorker(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.keepRunning(resolve).catch(reject)
    })
  }

  private async keepRunning(onReady: (url: string) => void): Promise<void> {
    for (let quickExits = 0; !this.stopping.signal.aborted; ) {
      const startedAt = performance.now()
      const outcome = await this.runUntilExit(onReady).then(describe, (error: Error) => `could not be started (${error.message})`)
      if (this.stopping.signal.aborted) return
      if (!this.anyWorkerHasBeenReady) throw new WorkersError(`Not started: the first worker ${outcome}`)
      quickExits = performance.now() - startedAt < quickExitMs ? quickExits + 1 : 0
      const restartDelayMs = Math.min(minRestartDelayMs * 2 ** quickExits, maxRestartDelayMs)
      this.options.log(`A worker ${outcome}. Its replacement starts in ${restartDelayMs} ms`)
      await sleep(restartDelayMs, undefined, { signal: this.stopping.signal }).catch(() => undefined)
    }
  }

  private async runUntilExit(onReady: (url: string) => void): Promise<WorkerExit> {
    const worker = cluster.fork()
    worker.on('message', (message: unknown) => {
      if (!isWorkerMessage(message)) return
      // When the stop request was sent to all workers, this worker may not have been listening for messages yet.
      if (this.stopping.signal.aborted) requestStop(worker)
      if (message.state !== 'ready') return
      this.anyWorkerHasBeenReady = true
      onReady(message.url)
    })
    redispatchConnections(worker, () => [...this.running.keys()].filter((other) => other !== worker && other.isConnected()))
    forwardSiblingMessages(worker, () => [...this.running.keys()])
    watchHeartbeat(worker, this.options.heartbeatTimeoutSeconds, () => this.killHanging(worker))
    const exit = exitOf(worker).finally(() => this.running.delete(worker))
    this.running.set(worker, exit)
    return exit
  }

  /**
   * Kills a worker that hangs. Such a worker answers no requests, but node would continue to send it a share of the connections.
   */
  private killHanging(worker: Worker): void {
    const { pid } = worker.process
    this.options.log(
      `A worker (process ${pid}) has sent no heartbeat for ${this.options.heartbeatTimeoutSeconds} s. It is killed and replaced`,
    )
    worker.process.kill('SIGKILL')
  }

  private async stopAll(): Promise<void> {
    this.stopping.abort()
    const workers = [...this.running.keys()]
    const kill = setTimeout(() => {
      for (const worker of workers) worker.process.kill('SIGKILL')
    }, this.options.shutdownDelayMs + killAfterMs)
    for (const worker of workers) requestStop(worker)
    const exits = await Promise.all(this.running.values())
    clearTimeout(kill)
    const unclean = exits.filter((exit) => !isCleanExit(exit))
    if (unclean.length > 0) throw new WorkersError(`Not all workers exited cleanly: one ${unclean.map(describe).join(', one ')}`)
  }
}

/** Reports how workers exited. The workers have logged the cause. */
export class WorkersError extends Error {
  override readonly name = 'WorkersError'
}

/** Sends a message instead of a signal, because a signal would kill a worker that does not handle signals yet. */
function requestStop(worker: Worker): void {
  sendMessage(worker, stopRequest)
}

function exitOf(worker: Worker): Promise<WorkerExit> {
  return new Promise((resolve, reject) => {
    worker.once('exit', (code: number | null, signal: NodeJS.Signals | null) => resolve({ code, signal }))
    // Without a pid, the worker could not be started, and `exit` does not follow. With a pid, the error is only that a message
    // could not be sent, and `exit` follows when the worker ends.
    worker.on('error', (error) => {
      if (worker.process.pid === undefined) reject(error)
    })
  })
}

/** Other code in the worker may send messages too, as tsx does. */
function isWorkerMessage(message: unknown): message is WorkerMessage {
  return typeof message === 'object' && message !== null && 'state' in message
}

/**
 * Exit by SIGINT or SIGTERM counts as clean, because the signal, for example of Ctrl-C, arrived before the worker listened for
 * it.
 */
function isCleanExit({ code, signal }: WorkerExit): boolean {
  return code === 0 || signal === 'SIGINT' || signal === 'SIGTERM'
}

function describe({ code, signal }: WorkerExit): string {
  return signal === null ? `ended with code ${code}` : `was ended by ${signal}`
}

const quickExitMs = 10_000
const minRestartDelayMs = 50
const maxRestartDelayMs = 10_000
/**
 * Time from the end of the shutdown delay until workers that still run are killed. The primary has 9,500 ms from the same moment (see
 * shutdownTimeoutMs in main.ts), so that it can still report how they exited.
 */
const killAfterMs = 9_000
