import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Redis } from 'ioredis'

/** A real Redis server. After SIGKILL it restarts with the data of its last snapshot. */
export class RedisServer {
  private server: ChildProcess | undefined
  /** Waits and retries while the server is down. */
  readonly client: Redis

  constructor(
    readonly port: number,
    private readonly folder: string,
  ) {
    this.client = new Redis(port, { lazyConnect: true, retryStrategy: () => 20, maxRetriesPerRequest: null })
    this.client.on('error', () => undefined)
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const settings = [
      '--port',
      String(this.port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      this.folder,
    ]
    // Two faults may have killed it at the same time: the second must not start another server.
    if (!this.isRunning()) {
      this.server = spawn('redis-server', settings, { stdio: 'ignore' })
      this.server.on('error', () => undefined)
    }
    await this.client.ping()
  }

  async snapshot(): Promise<void> {
    // Fails if a snapshot is in progress, which is as good.
    await this.client.bgsave().catch(() => undefined)
  }

  async kill(): Promise<void> {
    const { server } = this
    if (!server || !this.isRunning()) return
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }

  private isRunning(): boolean {
    return this.server?.exitCode === null && this.server.signalCode === null
  }

  async stop(): Promise<void> {
    this.client.disconnect()
    await this.kill()
  }
}
