import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../torture/free-port.js'
import { RedisServer } from '../../torture/redis-server.js'
import { sharedClockMs } from './clock.js'
import { type Figures, summarize } from './figures.js'
import { load, probeCount } from './load.js'
import { prefill } from './prefill.js'
import { readServer } from './server-usage.js'
import type { Variant } from './variants.js'
import { WatcherProcess } from './watcher-process.js'

interface Measurement {
  variant: Variant
  seed: number
  seconds: number
  softTtlMs: number
}

/** One variant in one round, on a new server with new processes */
export async function measure(measurement: Measurement): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'near-news-'))
  const server = new RedisServer(await freePort(), folder)
  const watchers: WatcherProcess[] = []
  try {
    await server.start()
    const probes = probeCount(measurement.seconds)
    await prefill(server.url, measurement.softTtlMs, probes)
    for (let index = 0; index < load.processes; index += 1)
      watchers.push(new WatcherProcess({ ...measurement, url: server.url, index, probes }))
    return await observe(server, watchers, measurement.seconds)
  } finally {
    for (const watcher of watchers) watcher.kill()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function observe(server: RedisServer, watchers: readonly WatcherProcess[], seconds: number): Promise<Figures> {
  await Promise.all(watchers.map((watcher) => watcher.primed))
  for (const watcher of watchers) watcher.tell('run')
  await sleep(load.warmSeconds * 1000)
  const startedAt = sharedClockMs()
  for (const watcher of watchers) watcher.tell('measure')
  const before = await readServer(server)
  await sleep(seconds * 1000)
  const after = await readServer(server)
  const reports = await Promise.all(watchers.map((watcher) => watcher.finish()))
  return summarize(reports, { before, after, startedAt, seconds })
}
