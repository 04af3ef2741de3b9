import { setTimeout as sleep } from 'node:timers/promises'
import { freezeApi, killApi, killApiAfterCommit, killApiDuringMutation } from './api-faults.js'
import { lockTable, stopListening } from './database-faults.js'
import { age, corrupt, evict, flush, wrongTypes } from './entry-faults.js'
import { pickWeighted, type Random } from './random.js'
import { killNormalClients, killPubsubClients, killRedis, pauseRedis, snapshotRedis } from './redis-faults.js'
import type { World } from './world.js'

const weights = {
  ...{ 'SIGKILL of an API process': 1, 'SIGKILL during a mutation': 1.5, 'SIGKILL between commit and invalidation': 1.5 },
  ...{ 'SIGKILL of Redis, old data come back': 2, 'Redis snapshot': 3, 'CLIENT KILL normal': 1.5, 'CLIENT KILL pubsub': 1.5 },
  ...{ 'CLIENT PAUSE': 2, FLUSHALL: 1, 'corrupt entries': 2, 'wrong types': 1.5, 'evicted keys': 1.5, 'entries turn stale': 2 },
  ...{ 'SIGSTOP of an API process': 3, 'table locked': 2, 'listeners cut off': 1 },
}

const faults: Record<keyof typeof weights, (world: World, random: Random) => Promise<void>> = {
  'SIGKILL of an API process': killApi,
  'SIGKILL during a mutation': killApiDuringMutation,
  'SIGKILL between commit and invalidation': killApiAfterCommit,
  'SIGKILL of Redis, old data come back': killRedis,
  'Redis snapshot': snapshotRedis,
  'CLIENT KILL normal': killNormalClients,
  'CLIENT KILL pubsub': killPubsubClients,
  'CLIENT PAUSE': pauseRedis,
  FLUSHALL: flush,
  'corrupt entries': corrupt,
  'wrong types': wrongTypes,
  'evicted keys': evict,
  'entries turn stale': age,
  'SIGSTOP of an API process': freezeApi,
  'table locked': lockTable,
  'listeners cut off': stopListening,
}

/** These break no connection and lose no news: the bound of normal running holds. */
const harmless: ReadonlySet<string> = new Set(['Redis snapshot', 'entries turn stale'])

/** Breaks something at random; resolves when it is mended, which may be long after others were broken as well. */
export async function breakOnce(world: World, random: Random): Promise<void> {
  const kind = pickWeighted(random, weights)
  world.faults.add(kind)
  const end = harmless.has(kind) ? () => {} : world.faultWindows.begin(world.now)
  try {
    await Promise.race([faults[kind](world, random), sleep(faultPatienceMs, undefined, { ref: false })])
  } finally {
    end()
  }
}

const faultPatienceMs = 30_000
