import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { post } from '../post.js'
import { Tally } from '../tally.js'

export interface ClientResults {
  queries: number
  mutations: number
  latenciesMs: number[]
  /** By cause; requests are not retried */
  failures: Tally
  /** Ids of the orders that the server acknowledged */
  orderIds: string[]
}

interface ClientsOptions {
  port: number
  readers: number
  writers: number
  /** Pause between an answer and the next request of a client */
  pauseMs: number
}

/** Clients that send requests sequentially, each on a connection that is kept as long as the server allows. */
export class Clients {
  readonly results: ClientResults = { queries: 0, mutations: 0, latenciesMs: [], failures: new Tally(), orderIds: [] }
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
    this.results.queries += 1
    const id = `order_${1 + (number % 250)}`
    const data = await this.ask(agent, `query($id: ID!) { order(id: $id) { id user { name } products { name price } } }`, { id })
    if (data && data.order?.id !== id) this.results.failures.add(`${id} was not found`)
  }

  /** Creates an order, which every process must then find. */
  private async write(agent: Agent, writer: number): Promise<void> {
    this.results.mutations += 1
    const input = { userId: `user_${writer}`, productIds: [`product_${writer}`] }
    const mutation = `mutation($input: CreateOrderInput!) { createOrder(input: $input) { order { id } userErrors { message } } }`
    const id = (await this.ask(agent, mutation, { input }))?.createOrder.order?.id
    if (!id) return
    this.results.orderIds.push(id)
    this.results.queries += 1
    const data = await this.ask(agent, `query($id: ID!) { order(id: $id) { id } }`, { id })
    if (data && data.order?.id !== id) this.results.failures.add(`${id} was not found`)
  }

  /** Sends a query. Counts a failure and returns null. */
  private async ask(agent: Agent, query: string, variables: object) {
    const startedAt = performance.now()
    try {
      const { status, body } = await post(agent, this.options.port, JSON.stringify({ query, variables }))
      const { data, errors } = JSON.parse(body)
      if (status === 200 && !errors) return data
      this.results.failures.add(`status ${status}, ${errors?.[0]?.extensions?.code ?? 'no error'}`)
    } catch (error) {
      this.results.failures.add((error as Error).message)
    } finally {
      this.results.latenciesMs.push(performance.now() - startedAt)
    }
    return null
  }
}
