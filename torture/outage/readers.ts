import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { post } from '../post.js'

export interface Readers {
  /** Returns the latencies and the number of failures since the last call. */
  take(): { latenciesMs: number[]; failed: number }
  stop(): Promise<void>
}

/** Starts clients that read orders of the demo data sequentially, each on a kept-alive connection. */
export function startReaders(port: number, count: number, orders = demoOrders): Readers {
  let latenciesMs: number[] = []
  let failed = 0
  let isRunning = true
  const read = async (reader: number) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let round = 0; isRunning; round += 1) {
      const startedAt = performance.now()
      const isRight = await readOrder(agent, port, 1 + ((reader * 37 + round) % orders))
      latenciesMs.push(performance.now() - startedAt)
      if (!isRight) failed += 1
      await sleep(pauseMs)
    }
    agent.destroy()
  }
  const reading = Array.from({ length: count }, (_, reader) => read(reader))
  return {
    take() {
      const results = { latenciesMs, failed }
      latenciesMs = []
      failed = 0
      return results
    },
    async stop() {
      isRunning = false
      await Promise.all(reading)
    },
  }
}

async function readOrder(agent: Agent, port: number, number: number): Promise<boolean> {
  const query = `{ order(id: "order_${number}") { id user { name } products { name } } }`
  try {
    const { body } = await post(agent, port, JSON.stringify({ query }))
    return body.startsWith(`{"data":{"order":{"id":"order_${number}",`) && !body.includes('"errors"')
  } catch {
    return false
  }
}

const demoOrders = 250
const pauseMs = 10
