import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ScratchShop } from '../scratch-shop.js'
import type { ServedProcess } from '../served-process.js'
import type { Span } from './span.js'

interface WatchOptions {
  shop: ScratchShop
  served: ServedProcess
  span: () => Span
  goesOn: () => boolean
}

const lookEveryMs = 250
/** What deploy/kubernetes gives a probe */
const probeMs = 2_000

/** What an operator has: probes, memory and the log. Changes a product now and then, too, so that subscribers have something to be told. */
export async function watch({ shop, served, span, goesOn }: WatchOptions): Promise<void> {
  let [lines, at] = [served.lines, performance.now()]
  while (goesOn()) {
    const its = span()
    its.probesMs.push(await probe(served.port))
    const status = await readFile(`/proc/${served.pid}/status`, 'utf8').catch(() => '')
    its.residentMb.push(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024)
    const memory = await shop.redis.client.info('memory')
    its.redisMb.push(Number(/^used_memory:(\d+)/m.exec(memory)?.[1] ?? 0) / 1024 / 1024)
    await shop.database`update products set stock = stock + 1 where id = 1`
    await sleep(lookEveryMs)
    its.logLines += served.lines - lines
    its.seconds += (performance.now() - at) / 1_000
    ;[lines, at] = [served.lines, performance.now()]
  }
}

/** On a connection of its own, from an address that is nobody's else */
function probe(port: number): Promise<number> {
  return new Promise((resolve) => {
    const startedAt = performance.now()
    const options = {
      host: '127.0.0.1',
      port,
      path: '/livez',
      localAddress: '127.0.2.1',
      agent: false,
      timeout: probeMs,
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
