import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../../src/platform/database/connection.js'
import { post } from '../post.js'

export interface ObservedChanges {
  /** Reads of a row that is changed by SQL all the time */
  reads: number
  /** Reads that were older than the bound */
  stale: number
  greatestAgeMs: number
}

const productId = 100
const changeEveryMs = 50
const readEveryMs = 5

/**
 * Changes a row by SQL, reads it through the processes, and measures how stale the answers are: from the commit of the value that
 * they do not show.
 */
export class ChangeWatch {
  readonly observed: ObservedChanges = { reads: 0, stale: 0, greatestAgeMs: 0 }
  /** The time of the commit of each value of the row; the value is the index */
  private readonly committedAt: number[] = []
  private readonly agent = new Agent({ keepAlive: true })
  private isStopped = false
  private readonly work: Promise<unknown>

  constructor(
    private readonly database: Database,
    private readonly port: number,
    private readonly boundMs: number,
  ) {
    this.work = Promise.all([this.change(), this.read()])
  }

  async stop(): Promise<void> {
    this.isStopped = true
    await this.work
    this.agent.destroy()
  }

  private async change(): Promise<void> {
    while (!this.isStopped) {
      await this.database`update products set stock = ${this.committedAt.length} where id = ${productId}`
      this.committedAt.push(performance.now())
      await sleep(changeEveryMs)
    }
  }

  private async read(): Promise<void> {
    const body = JSON.stringify({ query: `{ product(id: "product_${productId}") { stock } }` })
    while (!this.isStopped) {
      const at = performance.now()
      // Failed requests are counted by the other clients.
      const reply = await post(this.agent, this.port, body).catch(() => undefined)
      const stock = reply && /"stock":(\d+)/.exec(reply.body)?.[1]
      if (stock !== undefined) this.judge(Number(stock), at)
      await sleep(readEveryMs)
    }
  }

  private judge(stock: number, at: number): void {
    const replacedAt = this.committedAt[stock + 1]
    this.observed.reads += 1
    if (replacedAt === undefined || replacedAt > at) return
    this.observed.greatestAgeMs = Math.max(this.observed.greatestAgeMs, at - replacedAt)
    if (at - replacedAt > this.boundMs) this.observed.stale += 1
  }
}
