import type { Logger } from 'pino'
import { Live } from '../platform/live/live.js'
import { liveKindsOf } from '../platform/live/outdated.js'
import { entities } from '../shop/entities.js'
import type { Started } from './started.js'
import type { Stores } from './stores.js'

export async function startLive(logger: Logger, started: Started, { feed, relay }: Stores): Promise<Live> {
  const live = new Live({
    ...{ database: feed, intervalMs: liveIntervalMs, keptMs: liveKeptMs, maxWaiting: liveMaxWaiting },
    kinds: liveKindsOf(entities),
    invalidate: (outdated) => relay.invalidate(outdated),
    log: (message) => logger.warn(message),
  })
  await live.start()
  started.push(() => live.stop())
  return live
}

const liveIntervalMs = 1_000
/** A process that cannot read for longer tells its subscribers so. */
const liveKeptMs = 300_000
export const liveMaxWaiting = 1_000
