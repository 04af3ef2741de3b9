import { setTimeout as sleep } from 'node:timers/promises'
import { demoteMaster, holdConnections, moveAddresses, splitAddresses } from './address-faults.js'
import { changePrefix, freezeApi, killApi, killApiAfterCommit, killApiDuringMutation, suspendApi } from './api-faults.js'
import { lockTable, stopListening } from './database-faults.js'
import { age, corrupt, evict, flush, wrongTypes } from './entry-faults.js'
import { rowLocked, tableLocked } from './lock-faults.js'
import type { Options } from './options.js'
import { pickWeighted, type Random } from './random.js'
import { killNormalClients, killPubsubClients, killRedis, pauseRedis, snapshotRedis } from './redis-faults.js'
import { holdProduct } from './row-lock.js'
import type { World } from './world.js'

interface Fault {
  weight: number
  run: (world: World, random: Random) => Promise<void>
  /** Without Redis there is nothing to be broken. */
  ofRedis?: true
  /** Breaks no connection and loses no news: the bound of normal running holds. */
  harmless?: true
}

const faults: Readonly<Record<string, Fault>> = {
  'SIGKILL of an API process': { weight: 1, run: killApi },
  'SIGKILL during a mutation': { weight: 1.5, run: killApiDuringMutation },
  'SIGKILL between commit and invalidation': { weight: 1.5, run: killApiAfterCommit, ofRedis: true },
  'SIGKILL of Redis, old data come back': { weight: 2, run: killRedis, ofRedis: true },
  'Redis snapshot': { weight: 3, run: snapshotRedis, ofRedis: true, harmless: true },
  'CLIENT KILL normal': { weight: 1.5, run: killNormalClients, ofRedis: true },
  'CLIENT KILL pubsub': { weight: 1.5, run: killPubsubClients, ofRedis: true },
  'CLIENT PAUSE': { weight: 2, run: pauseRedis, ofRedis: true },
  FLUSHALL: { weight: 1, run: flush, ofRedis: true },
  'corrupt entries': { weight: 2, run: corrupt, ofRedis: true },
  'wrong types': { weight: 1.5, run: wrongTypes, ofRedis: true },
  'evicted keys': { weight: 1.5, run: evict, ofRedis: true },
  'entries turn stale': { weight: 2, run: age, ofRedis: true, harmless: true },
  'addresses lead to another Redis and back': { weight: 2, run: moveAddresses, ofRedis: true },
  'one address leads to another Redis and back': { weight: 2, run: splitAddresses, ofRedis: true },
  'master becomes a replica and a master again': { weight: 2, run: demoteMaster, ofRedis: true },
  'late messages from Redis': { weight: 8, run: holdConnections, ofRedis: true },
  'restart with another CACHE_PREFIX': { weight: 1.5, run: changePrefix, ofRedis: true },
  'SIGSTOP of an API process': { weight: 3, run: freezeApi },
  'SIGSTOP of an API process for seconds': { weight: 1.5, run: suspendApi },
  [tableLocked]: { weight: 2, run: lockTable },
  'listeners cut off': { weight: 1, run: stopListening },
  [rowLocked]: { weight: 1, run: holdProduct },
}

/** Breaks something at random; resolves when it is mended, which may be long after others were broken as well. */
export async function breakOnce(world: World, random: Random): Promise<void> {
  const kind = pickWeighted(random, weightsFor(world.options.store))
  const { run, harmless } = faults[kind] as Fault
  world.faults.add(kind)
  const end = harmless ? () => {} : world.faultWindows.begin(kind, world.now)
  try {
    await Promise.race([run(world, random).catch(ignoreRefusal), sleep(faultPatienceMs, undefined, { ref: false })])
  } finally {
    end()
  }
}

function weightsFor(store: Options['store']): Record<string, number> {
  const possible = Object.entries(faults).filter(([, { ofRedis }]) => store === 'redis' || !ofRedis)
  return Object.fromEntries(possible.map(([kind, { weight }]) => [kind, weight]))
}

/** A server that is a replica at the moment, or loads what its master has sent, lets nobody change its entries. */
function ignoreRefusal(error: Error): void {
  if (!/^(READONLY|EXECABORT|LOADING|MASTERDOWN)/.test(error.message)) throw error
}

const faultPatienceMs = 30_000
