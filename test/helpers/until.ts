import { setTimeout as sleep } from 'node:timers/promises'

const minPauseMs = 5
const maxPauseMs = 50

/**
 * Waits until the condition is true. Throws after the timeout. The pauses grow: most conditions send requests, and checking them all the
 * time takes the CPU from what the test waits for.
 */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const startedAt = performance.now()
  let pauseMs = minPauseMs
  while (!(await condition())) {
    if (performance.now() - startedAt > timeoutMs) throw new Error(`The condition was not true within ${timeoutMs} ms`)
    await sleep(pauseMs)
    pauseMs = Math.min(pauseMs * 1.2, maxPauseMs)
  }
}
