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
  /** null where it runs without Redis */
  address: RedisAddress | null
  logFile: string
  now: () => number
  /** For so long it did not get to run, up to now. */
  stalled: (ms: number) => void
  /** It ended without having been killed. */
  died: (how: string) => void
}

const startPatienceMs = 20_000

/** An API process on a port of its own, which can be killed and started again. */
export class ApiProcess {
  private child: ChildProcess | undefined
  /** From the kill to being ready again */
  private readonly downs: { from: number; to: number }[] = []
  isUp = false
  /** Somebody is about to kill it, or has. */
  isVictim = false
  /** Stopped for so long that nobody would send it requests */
  isSuspended = false
  /** CACHE_PREFIX from its next start on */
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

  /** Resolves when it answers. */
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
      // Away from a developer's .env
      cwd: tmpdir(),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.child = child
    child.once('exit', (code, signal) => this.isUp && this.options.died(`exit code ${code}, signal ${signal}`))
    child.on(
      'message',
      (message) => typeof message === 'object' && this.options.stalled((message as { stalledMs: number }).stalledMs),
    )
    const log = createWriteStream(logFile, { flags: 'a' })
    child.stdout?.pipe(log, { end: false })
    child.stderr?.pipe(log, { end: false })
    const ready = await Promise.race([
      once(child, 'message').then(() => true),
      once(child, 'exit').then(() => false),
      sleep(startPatienceMs, false, { ref: false }),
    ])
    if (!ready) throw new Error(`${name} does not start. Its log ends with:\n${(await readFile(logFile, 'utf8')).slice(-1_000)}`)
    this.isUp = true
    const down = this.downs.at(-1)
    if (down) down.to = this.options.now()
  }

  async kill(): Promise<void> {
    const { child } = this
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    this.isUp = false
    this.downs.push({ from: this.options.now(), to: Number.POSITIVE_INFINITY })
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
    return this.downs.some((down) => down.from <= to && from <= down.to)
  }
}
