// Preloaded into the program under test. On SIGUSR2 it collects garbage and writes the memory usage to fd 3, a pipe. Needs
// --expose-gc.
import { writeSync } from 'node:fs'
import process from 'node:process'

process.on('SIGUSR2', () => {
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external, rss } = process.memoryUsage()
  writeSync(
    3,
    `${JSON.stringify({ heapBytes: heapUsed + external, rssBytes: rss, resources: process.getActiveResourcesInfo().length })}\n`,
  )
})
