import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { post } from '../post.js'
import { Tally } from '../tally.js'

export interface Seen {
  queries: number
  mutations: number
  latenciesMs: number[]
  /** By cause; nothing is tried again */
  failures: Tally
  /** Of the orders that were acknowledged */
  orderIds: string[]
}

interface ClientsOptions {
  port: number
  readers: number
  writers: number
  /** Between an answer and the next request of a client */
  pauseMs: number
}

/** Clients that ask one thing after the other, each on a connection that it keeps for as long as the server lets it. */
export class Clients {
  readonly seen: Seen = { queries: 0, mutations: 0, latenciesMs: [], failures: new Tally(), orderIds: [] }
  private readonly work: Promise<void>[]
  private stopping = false

  constructor(private readonly options: ClientsOptions) {
    const { readers, writers } = options
    this.work = [
      ...Array.from({ length: readers }, (_, reader) => this.run((agent, round) => this.read(agent, 1 + reader * 31 + round))),
      ...Array.from({ length: writers }, (_, writer) => this.run((agent) => this.write(agent, 1 + writer))),
    ]
  }

  async stop(): Promise<void> {
    this.stopping = true
    await Promise.all(this.work)
  }

  private async run(step: (agent: Agent, round: number) => Promise<void>): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let round = 0; !this.stopping; round += 1) {
      await step(agent, round)
      await sleep(this.options.pauseMs)
    }
    agent.destroy()
  }

  private async read(agent: Agent, number: number): Promise<void> {
    this.seen.queries += 1
    const id = `order_${1 + (number % 250)}`
    const data = await this.ask(agent, `query($id: ID!) { order(id: $id) { id user { name } products { name price } } }`, { id })
    if (data && data.order?.id !== id) this.seen.failures.add(`${id} was not found`)
  }

  /** An order, which then has to be found, by whichever process. */
  private async write(agent: Agent, writer: number): Promise<void> {
    this.seen.mutations += 1
    const input = { userId: `user_${writer}`, productIds: [`product_${writer}`] }
    const mutation = `mutation($input: CreateOrderInput!) { createOrder(input: $input) { order { id } userErrors { message } } }`
    const id = (await this.ask(agent, mutation, { input }))?.createOrder.order?.id
    if (!id) return
    this.seen.orderIds.push(id)
    this.seen.queries += 1
    const data = await this.ask(agent, `query($id: ID!) { order(id: $id) { id } }`, { id })
    if (data && data.order?.id !== id) this.seen.failures.add(`${id} was not found`)
  }

  /** null where it failed, which is counted. */
  private async ask(agent: Agent, query: string, variables: object) {
    const startedAt = performance.now()
    try {
      const { status, body } = await post(agent, this.options.port, JSON.stringify({ query, variables }))
      const { data, errors } = JSON.parse(body)
      if (status === 200 && !errors) return data
      this.seen.failures.add(`status ${status}, ${errors?.[0]?.extensions?.code ?? 'no error'}`)
    } catch (error) {
      this.seen.failures.add((error as Error).message)
    } finally {
      this.seen.latenciesMs.push(performance.now() - startedAt)
    }
    return null
  }
}
