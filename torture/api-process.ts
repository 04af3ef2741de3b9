import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisAddress } from './redis-address.js'

export interface ApiProcessOptions {
  name: string
  entry: string
  port: number
  env: Readonly<Record<string, string>>
  /** null: it runs without Redis */
  address: RedisAddress | null
  logFile: string
  now: () => number
  /** Called when the process was not scheduled for the last `ms` milliseconds. */
  onStall: (ms: number) => void
  /** Called when the process ends without having been killed. */
  onUnexpectedExit: (reason: string) => void
}

const startTimeoutMs = 20_000

/** An API process on a separate port, which can be killed and restarted. */
export class ApiProcess {
  private child: ChildProcess | undefined
  /** From each kill until the process was ready again */
  private readonly downtimes: { from: number; to: number }[] = []
  isUp = false
  /** A fault of this process is in progress. */
  isTargeted = false
  /** Stopped for so long that a load balancer would send it no requests */
  isSuspended = false
  /** CACHE_PREFIX of the next start */
  prefix = 'ecommerce'

  constructor(private readonly options: ApiProcessOptions) {}

  get name(): string {
    return this.options.name
  }

  get port(): number {
    return this.options.port
  }

  get address(): RedisAddress | null {
    return this.options.address
  }

  /** Resolves when the process is ready. */
  async start(): Promise<void> {
    const { entry, env, address, port, logFile, name } = this.options
    const settings = {
      NODE_ENV: 'production',
      AUTH_OPEN: 'true',
      RATE_LIMIT: '0',
      PATH: process.env.PATH ?? '',
      PORT: String(port),
      ...env,
      ...(address && { REDIS_URL: address.url }),
      CACHE_PREFIX: this.prefix,
    }
    const child = spawn(process.execPath, ['--enable-source-maps', entry], {
      env: settings,
      // So that it does not read a developer's .env file
      cwd: tmpdir(),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.child = child
    child.once('exit', (code, signal) => this.isUp && this.options.onUnexpectedExit(`exit code ${code}, signal ${signal}`))
    child.on(
      'message',
      (message) => typeof message === 'object' && this.options.onStall((message as { stalledMs: number }).stalledMs),
    )
    const log = createWriteStream(logFile, { flags: 'a' })
    child.stdout?.pipe(log, { end: false })
    child.stderr?.pipe(log, { end: false })
    const ready = await Promise.race([
      once(child, 'message').then(() => true),
      once(child, 'exit').then(() => false),
      sleep(startTimeoutMs, false, { ref: false }),
    ])
    if (!ready) throw new Error(`${name} did not start. The end of its log:\n${(await readFile(logFile, 'utf8')).slice(-1_000)}`)
    this.isUp = true
    const downtime = this.downtimes.at(-1)
    if (downtime) downtime.to = this.options.now()
  }

  async kill(): Promise<void> {
    const { child } = this
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    this.isUp = false
    this.downtimes.push({ from: this.options.now(), to: Number.POSITIVE_INFINITY })
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  freeze(): void {
    this.child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.child?.kill('SIGCONT')
  }

  wasDown(from: number, to: number): boolean {
    return this.downtimes.some((downtime) => downtime.from <= to && from <= downtime.to)
  }
}
