import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ScratchShop } from '../scratch-shop.js'
import type { ServedProcess } from '../served-process.js'
import type { Period } from './period.js'

interface WatchOptions {
  shop: ScratchShop
  served: ServedProcess
  period: () => Period
  isRunning: () => boolean
}

const sampleIntervalMs = 250
/** The probe timeout in deploy/kubernetes */
const probeTimeoutMs = 2_000

/**
 * Measures what an operator sees: probes, memory and the log. Also changes a product regularly, so that subscribers get events.
 */
export async function watch({ shop, served, period, isRunning }: WatchOptions): Promise<void> {
  let [lines, at] = [served.lines, performance.now()]
  while (isRunning()) {
    const current = period()
    current.probesMs.push(await probe(served.port))
    const status = await readFile(`/proc/${served.pid}/status`, 'utf8').catch(() => '')
    current.residentMb.push(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024)
    const memory = await shop.redis.client.info('memory')
    current.redisMb.push(Number(/^used_memory:(\d+)/m.exec(memory)?.[1] ?? 0) / 1024 / 1024)
    await shop.database`update products set stock = stock + 1 where id = 1`
    await sleep(sampleIntervalMs)
    current.logLines += served.lines - lines
    current.seconds += (performance.now() - at) / 1_000
    ;[lines, at] = [served.lines, performance.now()]
  }
}

/** Probes the process on a new connection, from an address that no other client uses. Returns the latency in milliseconds. */
function probe(port: number): Promise<number> {
  return new Promise((resolve) => {
    const startedAt = performance.now()
    const options = {
      host: '127.0.0.1',
      port,
      path: '/livez',
      localAddress: '127.0.2.1',
      agent: false,
      timeout: probeTimeoutMs,
    } as const
    const sent = request(options, (response) => {
      response.resume()
      resolve(response.statusCode === 200 ? performance.now() - startedAt : Number.POSITIVE_INFINITY)
    })
    sent.on('timeout', () => sent.destroy())
    sent.on('error', () => resolve(Number.POSITIVE_INFINITY))
    sent.end()
  })
}
