import { Agent } from 'node:http'
import { freePort } from '../../tools/free-port.js'
import { post } from '../../torture/post.js'
import { openScratchShop, type ScratchShop } from '../../torture/scratch-shop.js'
import { ServedProcess } from '../../torture/served-process.js'
import { percentile } from '../../torture/tally.js'
import type { BenchContext } from '../harness/context.js'
import type { Options } from '../options.js'

const fleetSizes = [1, 2, 8]
const writers = 4
const products = 500

interface Checkout {
  name: string
  /** undefined: this checkout */
  root?: string
}

/**
 * Measures the latency of mutations, which wait for all processes, by the number of processes. All processes serve reads
 * meanwhile.
 */
export async function writes({ quick, against }: Options, context: BenchContext): Promise<string> {
  const checkouts: Checkout[] = [{ name: 'this' }, ...(against === undefined ? [] : [{ name: 'against', root: against }])]
  const [rounds, secondsEach] = quick ? [1, 1] : [5, 3]
  const rows: string[] = []
  for (const processes of fleetSizes) {
    const latenciesMs = new Map<string, number[]>(checkouts.map(({ name }) => [name, []]))
    for (let round = 0; round < rounds; round += 1) {
      for (const checkout of round % 2 === 0 ? checkouts : [...checkouts].reverse())
        latenciesMs.get(checkout.name)?.push(...(await measure(checkout, processes, secondsEach * 1_000)))
    }
    for (const [name, latencies] of latenciesMs) {
      const at = (share: number) => (percentile(latencies, share) ?? 0).toFixed(1)
      rows.push(`| ${processes} | ${name} | ${latencies.length} | ${at(0.5)} | ${at(0.99)} | ${at(1)} |`)
      context.print(rows.at(-1) as string)
    }
  }
  return [
    '| processes | checkout | mutations | p50 ms | p99 ms | max ms |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

async function measure({ root }: Checkout, processes: number, forMs: number): Promise<number[]> {
  const shop = await openScratchShop()
  const fleet: ServedProcess[] = []
  try {
    for (let index = 0; index < processes; index += 1) fleet.push(await startProcess(shop, root))
    await drive(fleet, forMs / 3)
    return await drive(fleet, forMs)
  } finally {
    await Promise.all(fleet.map((served) => served.stop()))
    await shop.close()
  }
}

async function startProcess(shop: ScratchShop, root: string | undefined): Promise<ServedProcess> {
  const env = { DATABASE_URL: shop.databaseUrl, REDIS_URL: shop.redis.url, DATABASE_POOL: '6', AUDIT_INTERVAL_MS: '0' }
  const served = new ServedProcess(await freePort(), env, root)
  await served.start()
  return served
}

/** Runs readers and writers and returns the latencies of the mutations in milliseconds. */
async function drive(fleet: readonly ServedProcess[], forMs: number): Promise<number[]> {
  const until = performance.now() + forMs
  const latenciesMs: number[] = []
  const read = async ({ port }: ServedProcess) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    while (performance.now() < until) {
      const id = 1 + Math.floor(Math.random() * products)
      await post(agent, port, JSON.stringify({ query: `{ product(id: "product_${id}") { stock } }` }))
      await new Promise((resolve) => setTimeout(resolve, readerPauseMs))
    }
    agent.destroy()
  }
  const write = async (writer: number) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const { port } = fleet[writer % fleet.length] as ServedProcess
    for (let stock = 1; performance.now() < until; stock += 1) {
      // Each writer has separate products, to avoid waiting for row locks.
      const id = 1 + ((stock * writers + writer) % products)
      const query = `mutation { updateProductStock(productId: "product_${id}", stock: ${stock}) { product { stock } } }`
      const startedAt = performance.now()
      const { body } = await post(agent, port, JSON.stringify({ query }))
      if (!body.startsWith('{"data":{"updateProductStock":{"product":{"stock":')) throw new Error(`A mutation failed: ${body}`)
      latenciesMs.push(performance.now() - startedAt)
    }
    agent.destroy()
  }
  await Promise.all([...fleet.map(read), ...Array.from({ length: writers }, (_, writer) => write(writer))])
  return latenciesMs
}

const readerPauseMs = 5
