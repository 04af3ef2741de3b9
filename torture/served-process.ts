import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readStartCommand } from '../tools/start-command.js'

const thisCheckout = fileURLToPath(new URL('..', import.meta.url))
const startPatienceMs = 30_000
const pollMs = 20
/** The last of what was printed: the rest of a long run is not worth the memory. */
const keptCharacters = 200_000

/** The built product on a port of its own, with the flags of `npm start`. */
export class ServedProcess {
  private child: ChildProcess | undefined
  private output = ''
  /** That it printed */
  lines = 0

  constructor(
    readonly port: number,
    private readonly env: Readonly<Record<string, string>>,
    /** Of the checkout that was built */
    private readonly root = thisCheckout,
  ) {}

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Once it was started */
  get pid(): number | undefined {
    return this.child?.pid
  }

  get isRunning(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
  }

  /** Throws when it has ended, with what it printed. */
  expectRunning(): void {
    if (!this.isRunning) throw new Error(`It ended by itself. Its output:\n${this.output}`)
  }

  /** Resolves when it is ready. */
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
      // Away from a developer's .env
      cwd: tmpdir(),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => this.keep(text))
    this.child = child
    const until = performance.now() + startPatienceMs
    while (!(await isReady(this.port))) {
      if (!this.isRunning || performance.now() > until) throw new Error(`It does not get ready. Its output:\n${this.output}`)
      await sleep(pollMs)
    }
  }

  private keep(text: string): void {
    this.lines += text.split('\n').length - 1
    this.output = (this.output + text).slice(-keptCharacters)
  }

  /** As a service manager does it. Rejects when it does not end in order. */
  async stop(): Promise<void> {
    const { child } = this
    if (!child || !this.isRunning) return
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    const [code, signal] = await exited
    if (code !== 0) throw new Error(`It ended with code ${code}, signal ${signal}. Its output:\n${this.output}`)
  }
}

/** What a load balancer asks. */
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
