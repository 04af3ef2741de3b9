import 'reflect-metadata'
import process from 'node:process'
import { startApp } from '../src/app.js'
import { readConfig } from '../src/config.js'
import type { AppObservers } from '../src/wiring/observers.js'
import { watchStalls } from './stalls.js'
import { unprotected } from './unprotected-store.js'

/** One API process. It tells its parent when it is ready and when it did not get to run, and does not outlive it. */
process.on('disconnect', () => process.exit(1))
const config = readConfig(process.env)
await startApp(config, process.env.TORTURE_PROTECTION === 'none' ? withoutProtection(config.REDIS_URL) : {})
process.send?.('ready')
watchStalls((ms) => process.send?.({ stalledMs: ms }))

/** Without Redis, processes whose memories do not hear of each other's changes */
function withoutProtection(redisUrl: string | undefined): AppObservers {
  if (redisUrl === undefined) return { withoutRelay: true }
  return { wrapStore: (store) => unprotected(store, redisUrl), withoutRelay: true }
}
