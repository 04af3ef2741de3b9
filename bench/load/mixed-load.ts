import type { Database } from '../../src/platform/database/connection.js'
import { ProductVersions, type StaleRead, type WrittenBy } from '../harness/product-versions.js'
import { shopSize } from '../harness/queries.js'
import { HttpConnection } from './http-connection.js'
import { MixedTraffic, type Operation } from './mixed-traffic.js'
import { scanStocks } from './scan-stocks.js'

interface MixedLoadOptions {
  url: string
  database: Database
  connections: number
  /** Operations per second; null: every connection sends its next operation as soon as the last one is answered */
  rate: number | null
}

export interface StaleReads {
  count: number
  oldestMs: number
}

export interface MixedLoadResult {
  durationUs: number
  /** Latencies in microseconds, sorted. With a rate, they begin when the operation was due. */
  readsUs: Float64Array
  /** Of the mutations */
  writesUs: Float64Array
  sqlWrites: number
  /** Answers that missed an acknowledged write, each counted once */
  stale: Record<WrittenBy, StaleReads>
}

const drainTimeoutMs = 20_000

/**
 * Loads one server with reads and writes, from this process, and judges every answer. The versions of the products are kept from run to run,
 * so a value that is stale since an earlier run is still found.
 */
export class MixedLoad {
  private readonly url: URL
  private readonly traffic: MixedTraffic
  private readonly versions = new ProductVersions(shopSize.products)

  constructor(private readonly options: MixedLoadOptions) {
    this.url = new URL(options.url)
    this.traffic = new MixedTraffic(this.url)
  }

  /** Throws if any operation fails. */
  run(seed: number, seconds: number): Promise<MixedLoadResult> {
    const next = this.traffic.operations(seed, (product) => this.versions.isBeingWritten(product))
    const run = new Run({ ...this.options, url: this.url, traffic: this.traffic, versions: this.versions, next })
    return run.finish(seconds)
  }
}

interface RunOptions extends Omit<MixedLoadOptions, 'url'> {
  url: URL
  traffic: MixedTraffic
  versions: ProductVersions
  next: () => Operation
}

class Run {
  private readonly connections: HttpConnection[]
  private idle: HttpConnection[]
  private readonly startedAt = performance.now()
  private endsAt = 0
  /** Number of operations that were sent */
  private sent = 0
  private readonly readsUs: number[] = []
  private readonly writesUs: number[] = []
  private sqlWrites = 0
  private readonly stale = { mutation: { count: 0, oldestMs: 0 }, sql: { count: 0, oldestMs: 0 } }
  /** Resolves when all operations that were sent are answered; rejects if one fails. */
  private readonly answered: Promise<void>
  private resolve!: () => void
  private fail!: (error: Error) => void

  constructor(private readonly options: RunOptions) {
    this.answered = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.fail = reject
    })
    this.connections = Array.from({ length: options.connections }, () => new HttpConnection(options.url, this.fail))
    this.idle = [...this.connections]
  }

  async finish(seconds: number): Promise<MixedLoadResult> {
    this.endsAt = this.startedAt + 1_000 * seconds
    const pacing = setInterval(() => this.sendDue(), 1)
    const late = () => this.fail(new Error(`${this.options.url} did not answer all requests`))
    const timeout = setTimeout(late, 1_000 * seconds + drainTimeoutMs)
    try {
      this.sendDue()
      await this.answered
      return this.result()
    } finally {
      clearInterval(pacing)
      clearTimeout(timeout)
      for (const connection of this.connections) connection.close()
    }
  }

  private result(): MixedLoadResult {
    const { readsUs, writesUs, sqlWrites, stale } = this
    return {
      durationUs: 1_000 * (performance.now() - this.startedAt),
      readsUs: Float64Array.from(readsUs).sort(),
      writesUs: Float64Array.from(writesUs).sort(),
      ...{ sqlWrites, stale },
    }
  }

  /** Sends operations that are due on idle connections, those that were idle for longest first. */
  private sendDue(): void {
    const now = performance.now()
    if (now >= this.endsAt) {
      if (this.idle.length === this.connections.length) this.resolve()
      return
    }
    const { rate } = this.options
    while (this.idle.length > 0) {
      const dueAt = rate === null ? now : this.startedAt + (1_000 * this.sent) / rate
      if (dueAt > now) return
      this.sent += 1
      this.start(this.idle.shift() as HttpConnection, dueAt)
    }
  }

  private start(connection: HttpConnection, dueAt: number): void {
    const operation = this.options.next()
    const done = () => {
      this.idle.push(connection)
      this.sendDue()
    }
    if (operation.kind === 'read') this.read(connection, operation.request, dueAt, done)
    else if (operation.kind === 'mutation') this.mutate(connection, operation.product, dueAt, done)
    else this.writeBySql(operation.product).then(done, this.fail)
  }

  private read(connection: HttpConnection, request: Buffer, dueAt: number, done: () => void): void {
    const sentAt = performance.now()
    connection.send(request, (status, body) => {
      this.readsUs.push(1_000 * (performance.now() - dueAt))
      if (!this.isGood(status, body)) return
      let worst: StaleRead | null = null
      const products = scanStocks(body, (product, stock) => {
        worst = worseOf(worst, this.options.versions.judge(product, stock, sentAt))
      })
      if (products === 0) return this.fail(new Error(`An answer holds no product: ${body.slice(0, 500)}`))
      if (worst !== null) this.count(worst)
      done()
    })
  }

  private mutate(connection: HttpConnection, product: number, dueAt: number, done: () => void): void {
    const { traffic, versions } = this.options
    const version = versions.begin(product)
    connection.send(traffic.mutation(product, version), (status, body) => {
      const now = performance.now()
      this.writesUs.push(1_000 * (now - dueAt))
      if (!this.isGood(status, body)) return
      if (!body.includes(`"stock":${version}}`)) return this.fail(new Error(`A mutation was refused: ${body.slice(0, 500)}`))
      versions.acknowledge(product, 'mutation', now)
      done()
    })
  }

  private async writeBySql(product: number): Promise<void> {
    const { database, versions } = this.options
    const version = versions.begin(product)
    await database`update products set stock = ${version}, price_cents = price_cents + 1 where id = ${product}`
    versions.acknowledge(product, 'sql', performance.now())
    this.sqlWrites += 1
  }

  private isGood(status: number, body: string): boolean {
    if (status === 200 && body.startsWith('{"data":{') && !body.includes('"errors":')) return true
    this.fail(new Error(`${this.options.url} answers with status ${status}: ${body.slice(0, 500)}`))
    return false
  }

  private count({ missed, ageMs }: StaleRead): void {
    const stale = this.stale[missed]
    stale.count += 1
    stale.oldestMs = Math.max(stale.oldestMs, ageMs)
  }
}

/** A missed mutation is worse than a missed write by SQL, and then an older value is worse. */
function worseOf(a: StaleRead | null, b: StaleRead | null): StaleRead | null {
  if (a === null || b === null) return a ?? b
  if (a.missed !== b.missed) return a.missed === 'mutation' ? a : b
  return a.ageMs >= b.ageMs ? a : b
}
