import 'reflect-metadata'
import process from 'node:process'
import { startApp } from '../src/app.js'
import { readConfig } from '../src/config.js'
import type { AppObservers } from '../src/wiring/observers.js'
import { watchStalls } from './stalls.js'
import { unprotected } from './unprotected-store.js'

/** One API process. Sends a message to its parent when it is ready and after each stall. Ends with its parent. */
process.on('disconnect', () => process.exit(1))
const config = readConfig(process.env)
await startApp(config, process.env.TORTURE_PROTECTION === 'none' ? withoutProtection(config.REDIS_URL) : {})
process.send?.('ready')
watchStalls((ms) => process.send?.({ stalledMs: ms }))

/** Without Redis: processes with memory caches that are not notified of each other's changes */
function withoutProtection(redisUrl: string | undefined): AppObservers {
  if (redisUrl === undefined) return { runsRelay: false }
  return { wrapStore: (store) => unprotected(store, redisUrl), runsRelay: false }
}
