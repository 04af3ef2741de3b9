import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readStartCommand } from '../tools/start-command.js'

const thisCheckout = fileURLToPath(new URL('..', import.meta.url))
const startTimeoutMs = 30_000
const pollMs = 20
/** How much of the end of the output is kept */
const maxOutputCharacters = 200_000

/** A built server on a separate port, started with the flags of `npm start`. */
export class ServedProcess {
  private child: ChildProcess | undefined
  private output = ''
  /** Number of lines that it printed */
  lines = 0

  constructor(
    readonly port: number,
    private readonly env: Readonly<Record<string, string>>,
    /** Root of the built checkout */
    private readonly root = thisCheckout,
  ) {}

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** undefined before the start */
  get pid(): number | undefined {
    return this.child?.pid
  }

  get isRunning(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
  }

  /** Throws an error with the output if the process has ended. */
  expectRunning(): void {
    if (!this.isRunning) throw new Error(`The server ended unexpectedly. Its output:\n${this.output}`)
  }

  /** Resolves when the server is ready. */
  async start(): Promise<void> {
    const settings = {
      NODE_ENV: 'production',
      AUTH_OPEN: 'true',
      RATE_LIMIT: '0',
      LOG_LEVEL: 'warn',
      PORT: String(this.port),
      ...this.env,
    }
    const child = spawn(process.execPath, startArguments(this.root), {
      env: { PATH: process.env.PATH, ...settings },
      // So that it does not read a developer's .env file
      cwd: tmpdir(),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => this.appendOutput(text))
    this.child = child
    const until = performance.now() + startTimeoutMs
    while (!(await isReady(this.port))) {
      if (!this.isRunning || performance.now() > until)
        throw new Error(`The server did not become ready. Its output:\n${this.output}`)
      await sleep(pollMs)
    }
  }

  private appendOutput(text: string): void {
    this.lines += text.split('\n').length - 1
    this.output = (this.output + text).slice(-maxOutputCharacters)
  }

  /** Stops the server like a service manager, with SIGTERM. Rejects unless it ends with exit code 0. */
  async stop(): Promise<void> {
    const { child } = this
    if (!child || !this.isRunning) return
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    const [code, signal] = await exited
    if (code !== 0) throw new Error(`The server ended with code ${code}, signal ${signal}. Its output:\n${this.output}`)
  }
}

/** Whether /readyz answers with status 200, as a load balancer checks it */
export async function isReady(port: number): Promise<boolean> {
  const signal = AbortSignal.timeout(1_000)
  const headers = { connection: 'close' }
  return fetch(`http://127.0.0.1:${port}/readyz`, { signal, headers }).then(
    ({ status }) => status === 200,
    () => false,
  )
}

function startArguments(root: string): string[] {
  const [, ...args] = readStartCommand(root)
  return args.map((arg) => (arg.startsWith('--') ? arg : join(root, arg)))
}
