// Loaded before the program under test, to tell what it holds when nothing is in flight. Needs --expose-gc and a pipe as fd 3.
import { writeSync } from 'node:fs'
import process from 'node:process'

process.on('SIGUSR2', () => {
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external, rss } = process.memoryUsage()
  writeSync(
    3,
    `${JSON.stringify({ heldBytes: heapUsed + external, rssBytes: rss, resources: process.getActiveResourcesInfo().length })}\n`,
  )
})
