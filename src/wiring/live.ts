import type { Logger } from 'pino'
import { liveKindsOf } from '../platform/live/invalidation-targets.js'
import { LiveUpdates } from '../platform/live/live-updates.js'
import { entities } from '../shop/entities.js'
import type { ResourceStack } from './resource-stack.js'
import type { Stores } from './stores.js'

export async function startLive(logger: Logger, resources: ResourceStack, { feed, relay }: Stores): Promise<LiveUpdates> {
  const live = new LiveUpdates({
    database: feed,
    pollIntervalMs: liveIntervalMs,
    retentionMs: liveRetentionMs,
    maxQueued: liveMaxQueued,
    kinds: liveKindsOf(entities),
    invalidate: (outdated) => relay.invalidate(outdated),
    log: (message) => logger.warn(message),
  })
  await live.start()
  resources.push(() => live.stop())
  return live
}

const liveIntervalMs = 1_000
/** If a process cannot read changes for longer than this, it reports the gap to its subscribers. */
const liveRetentionMs = 300_000
export const liveMaxQueued = 1_000
