import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { post } from '../post.js'

export interface Readers {
  /** Gives what was read since the last call: how long each answer took, in milliseconds, and how many failed. */
  take(): { latenciesMs: number[]; failed: number }
  stop(): Promise<void>
}

/** Clients that read orders of the demo data, one after the other, each on a connection that it keeps. */
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
      const taken = { latenciesMs, failed }
      latenciesMs = []
      failed = 0
      return taken
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
