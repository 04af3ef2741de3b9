import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

export interface ChildOptions {
  name: string
  command: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  cwd?: string
}

/** A child process that collects its output. */
export class Child {
  private readonly child: ChildProcess
  private output = ''
  private ended: string | undefined

  constructor(private readonly options: ChildOptions) {
    const [program, ...args] = options.command
    const { env, cwd } = options
    this.child = spawn(program as string, args, { env, stdio: ['ignore', 'pipe', 'pipe'], ...(cwd && { cwd }) })
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
      })
    this.child.once('error', (error) => {
      this.ended = error.message
    })
    this.child.once('exit', (code, signal) => {
      this.ended = `exit code ${code}, signal ${signal}`
    })
  }

  get pid(): number {
    return this.child.pid as number
  }

  /**
   * Waits until the output matches the pattern and returns its first group. Throws if the process ends before or the timeout
   * passes.
   */
  async find(pattern: RegExp, timeoutMs: number): Promise<string> {
    const deadline = AbortSignal.timeout(timeoutMs)
    for (;;) {
      const found = pattern.exec(this.output)?.[1]
      if (found !== undefined) return found
      this.expectAlive()
      await Promise.race([
        once(this.child.stdout as NodeJS.ReadableStream, 'data', { signal: deadline }),
        once(this.child, 'exit', { signal: deadline }),
      ]).catch(() => {
        throw new Error(`${this.options.name} did not print ${pattern} within ${timeoutMs} ms. ${this.lastOutput}`)
      })
    }
  }

  expectAlive(): void {
    if (this.ended !== undefined) throw new Error(`${this.options.name} ended unexpectedly: ${this.ended}. ${this.lastOutput}`)
  }

  /** Waits for the end of the process and returns its output. Throws if it fails or the timeout passes. */
  async finish(timeoutMs: number): Promise<string> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), timeoutMs)
    if (this.ended === undefined) await once(this.child, 'close').catch(() => undefined)
    clearTimeout(timer)
    if (this.child.exitCode !== 0) throw new Error(`${this.options.name} failed: ${this.ended}. ${this.lastOutput}`)
    return this.output
  }

  /** Sends SIGTERM, and SIGKILL after 5 s. */
  async stop(): Promise<void> {
    if (this.ended !== undefined) return
    const exited = once(this.child, 'exit')
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5_000)
    await exited
    clearTimeout(timer)
  }

  private get lastOutput(): string {
    return this.output === '' ? 'It printed nothing.' : `Its output ends with:\n${this.output.slice(-2_000)}`
  }
}
