import process from 'node:process'
import { connectToPrimary } from '../../../src/platform/workers/primary.js'
import { Workers } from '../../../src/platform/workers/workers.js'

/** A primary with two workers, which print their pid and block their event loop on SIGUSR2. */
const primary = connectToPrimary(() => process.exit(0))
if (primary) {
  process.on('SIGUSR2', () => {
    for (;;);
  })
  console.log(`worker ${process.pid}`)
  primary.reportReady('here')
} else {
  const workers = new Workers({ count: 2, shutdownDelayMs: 0, heartbeatTimeoutSeconds: 2, log: console.log })
  process.on('SIGTERM', () => void workers.stop().then(() => process.exit(0)))
  await workers.start()
}
