import process from 'node:process'
import { findPrimary } from '../../../src/platform/workers/primary.js'
import { Workers } from '../../../src/platform/workers/workers.js'

/** A primary with two workers, which tell who they are, and hang when they are sent SIGUSR2. */
const primary = findPrimary(() => process.exit(0))
if (primary) {
  process.on('SIGUSR2', () => {
    for (;;);
  })
  console.log(`worker ${process.pid}`)
  primary.announce('here')
} else {
  const workers = new Workers({ count: 2, delayMs: 0, silentSeconds: 2, log: console.log })
  process.on('SIGTERM', () => void workers.stop().then(() => process.exit(0)))
  await workers.start()
}
