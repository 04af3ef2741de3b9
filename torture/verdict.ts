import process from 'node:process'

interface Trial<S> {
  /** `stops` end what it has started, in reverse order, however it ends. */
  run: (stops: (() => Promise<unknown>)[]) => Promise<S>
  hasPassed: (summary: S) => boolean
  describe: (summary: S) => string
  /** It has failed when it takes longer. */
  limitMs?: number
}

/** Prints what came of it, and PASS or FAIL. Gives the exit code of the process. A signal ends it early, and it has failed then. */
export async function reachVerdict<S>({ run, hasPassed, describe, limitMs }: Trial<S>): Promise<number> {
  const stops: (() => Promise<unknown>)[] = []
  try {
    const summary = await Promise.race([run(stops), interruption(limitMs)])
    const passed = hasPassed(summary)
    console.log(`\n${describe(summary)}\n${passed ? 'PASS' : 'FAIL'}`)
    return passed ? 0 : 1
  } catch (error) {
    console.log(`${(error as Error).stack}\nFAIL`)
    return 1
  } finally {
    for (const stop of stops.reverse()) await stop().catch((error) => console.error(error))
  }
}

function interruption(limitMs: number | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (limitMs !== undefined) setTimeout(() => reject(new Error('It did not end in time')), limitMs).unref()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)))
  })
}
