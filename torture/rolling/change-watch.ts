import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../../src/platform/database/connection.js'
import { post } from '../post.js'

export interface ChangesSeen {
  /** Reads of a row that plain SQL changes all the time */
  reads: number
  /** Those that were older than the bound */
  stale: number
  greatestAgeMs: number
}

const productId = 100
const changeEveryMs = 50
const readEveryMs = 5

/** Changes a row by SQL, and reads it through the processes: how old are the answers, counted from the commit of what they do not show? */
export class ChangeWatch {
  readonly seen: ChangesSeen = { reads: 0, stale: 0, greatestAgeMs: 0 }
  /** Of each value of the row, when it was committed */
  private readonly committedAt: number[] = []
  private readonly agent = new Agent({ keepAlive: true })
  private isOver = false
  private readonly work: Promise<unknown>

  constructor(
    private readonly database: Database,
    private readonly port: number,
    private readonly boundMs: number,
  ) {
    this.work = Promise.all([this.change(), this.read()])
  }

  async stop(): Promise<void> {
    this.isOver = true
    await this.work
    this.agent.destroy()
  }

  private async change(): Promise<void> {
    while (!this.isOver) {
      await this.database`update products set stock = ${this.committedAt.length} where id = ${productId}`
      this.committedAt.push(performance.now())
      await sleep(changeEveryMs)
    }
  }

  private async read(): Promise<void> {
    const body = JSON.stringify({ query: `{ product(id: "product_${productId}") { stock } }` })
    while (!this.isOver) {
      const at = performance.now()
      // Whether requests fail is what the other clients count.
      const reply = await post(this.agent, this.port, body).catch(() => undefined)
      const stock = reply && /"stock":(\d+)/.exec(reply.body)?.[1]
      if (stock !== undefined) this.judge(Number(stock), at)
      await sleep(readEveryMs)
    }
  }

  private judge(stock: number, at: number): void {
    const replacedAt = this.committedAt[stock + 1]
    this.seen.reads += 1
    if (replacedAt === undefined || replacedAt > at) return
    this.seen.greatestAgeMs = Math.max(this.seen.greatestAgeMs, at - replacedAt)
    if (at - replacedAt > this.boundMs) this.seen.stale += 1
  }
}
