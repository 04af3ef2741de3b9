import { setTimeout as sleep } from 'node:timers/promises'
import { delayMessages, demoteMaster, moveAllAddresses, moveOneAddress } from './address-faults.js'
import { changePrefix, freezeApi, killApi, killApiAfterCommit, killApiDuringMutation, suspendApi } from './api-faults.js'
import { lockTable, stopListening } from './database-faults.js'
import { age, corrupt, evict, flush, wrongTypes } from './entry-faults.js'
import { rowLocked, tableLocked } from './lock-faults.js'
import type { Options } from './options.js'
import { pickWeighted, type Random } from './random.js'
import { killNormalClients, killPubsubClients, killRedis, pauseRedis, snapshotRedis } from './redis-faults.js'
import { lockProduct } from './row-lock.js'
import type { World } from './world.js'

interface Fault {
  weight: number
  run: (world: World, random: Random) => Promise<void>
  /** Skipped when the processes run without Redis */
  needsRedis?: true
  /** Breaks no connection and loses no invalidation message: the bound of normal operation applies. */
  harmless?: true
}

const faults: Readonly<Record<string, Fault>> = {
  'SIGKILL of an API process': { weight: 1, run: killApi },
  'SIGKILL during a mutation': { weight: 1.5, run: killApiDuringMutation },
  'SIGKILL between commit and invalidation': { weight: 1.5, run: killApiAfterCommit, needsRedis: true },
  'SIGKILL of Redis, restart with older data': { weight: 2, run: killRedis, needsRedis: true },
  'Redis snapshot': { weight: 3, run: snapshotRedis, needsRedis: true, harmless: true },
  'CLIENT KILL normal': { weight: 1.5, run: killNormalClients, needsRedis: true },
  'CLIENT KILL pubsub': { weight: 1.5, run: killPubsubClients, needsRedis: true },
  'CLIENT PAUSE': { weight: 2, run: pauseRedis, needsRedis: true },
  FLUSHALL: { weight: 1, run: flush, needsRedis: true },
  'corrupt entries': { weight: 2, run: corrupt, needsRedis: true },
  'wrong types': { weight: 1.5, run: wrongTypes, needsRedis: true },
  'evicted keys': { weight: 1.5, run: evict, needsRedis: true },
  'entries turn stale': { weight: 2, run: age, needsRedis: true, harmless: true },
  'all addresses point to another Redis and back': { weight: 2, run: moveAllAddresses, needsRedis: true },
  'one address points to another Redis and back': { weight: 2, run: moveOneAddress, needsRedis: true },
  'master becomes a replica and a master again': { weight: 2, run: demoteMaster, needsRedis: true },
  'delayed messages from Redis': { weight: 8, run: delayMessages, needsRedis: true },
  'restart with another CACHE_PREFIX': { weight: 1.5, run: changePrefix, needsRedis: true },
  'SIGSTOP of an API process': { weight: 3, run: freezeApi },
  'SIGSTOP of an API process for seconds': { weight: 1.5, run: suspendApi },
  [tableLocked]: { weight: 2, run: lockTable },
  'LISTEN connections terminated': { weight: 1, run: stopListening },
  [rowLocked]: { weight: 1, run: lockProduct },
}

/** Injects a random fault. Resolves when it is over; other faults may begin meanwhile. */
export async function injectFault(world: World, random: Random): Promise<void> {
  const kind = pickWeighted(random, weightsFor(world.options.store))
  const { run, harmless } = faults[kind] as Fault
  world.faults.add(kind)
  const end = harmless ? () => {} : world.faultWindows.begin(kind, world.now)
  try {
    await Promise.race([run(world, random).catch(ignoreRefusal), sleep(faultTimeoutMs, undefined, { ref: false })])
  } finally {
    end()
  }
}

function weightsFor(store: Options['store']): Record<string, number> {
  const possible = Object.entries(faults).filter(([, { needsRedis }]) => store === 'redis' || !needsRedis)
  return Object.fromEntries(possible.map(([kind, { weight }]) => [kind, weight]))
}

/** A server that is a replica at the moment, or is loading the data of its master, refuses writes. */
function ignoreRefusal(error: Error): void {
  if (!/^(READONLY|EXECABORT|LOADING|MASTERDOWN)/.test(error.message)) throw error
}

const faultTimeoutMs = 30_000
