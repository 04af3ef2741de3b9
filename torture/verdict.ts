import process from 'node:process'

interface Trial<S> {
  /** The trial adds to `cleanups` what ends the things that it starts. They are run in reverse order, also after a failure. */
  run: (cleanups: (() => Promise<unknown>)[]) => Promise<S>
  hasPassed: (summary: S) => boolean
  describe: (summary: S) => string
  /** Maximum duration; a longer trial fails */
  limitMs?: number
}

/**
 * Runs the trial, prints its result and PASS or FAIL, and returns the exit code of the process. A signal ends the trial early as
 * failed.
 */
export async function reachVerdict<S>({ run, hasPassed, describe, limitMs }: Trial<S>): Promise<number> {
  const cleanups: (() => Promise<unknown>)[] = []
  try {
    const summary = await Promise.race([run(cleanups), interruption(limitMs)])
    const passed = hasPassed(summary)
    console.log(`\n${describe(summary)}\n${passed ? 'PASS' : 'FAIL'}`)
    return passed ? 0 : 1
  } catch (error) {
    console.log(`${(error as Error).stack}\nFAIL`)
    return 1
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup().catch((error) => console.error(error))
  }
}

function interruption(limitMs: number | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (limitMs !== undefined) setTimeout(() => reject(new Error(`The run did not end within ${limitMs} ms`)), limitMs).unref()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)))
  })
}
