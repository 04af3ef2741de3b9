import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

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
  const cleanups = new Cleanups()
  // Registered first: run() may start processes before its first await.
  const interrupted = interruption(limitMs)
  const trial = run(cleanups)
  try {
    const summary = await Promise.race([trial, interrupted])
    const passed = hasPassed(summary)
    console.log(`\n${describe(summary)}\n${passed ? 'PASS' : 'FAIL'}`)
    return passed ? 0 : 1
  } catch (error) {
    console.log(`${(error as Error).stack}\nFAIL`)
    return 1
  } finally {
    await cleanups.close(trial)
  }
}

class Cleanups extends Array<() => Promise<unknown>> {
  private isClosed = false

  /** After close(), throws, so that an interrupted trial stops after what it was starting has been added. */
  override push(...added: (() => Promise<unknown>)[]): number {
    const length = super.push(...added)
    if (this.isClosed) throw new Error('The trial was interrupted')
    return length
  }

  /** Runs the cleanups. If the trial has not ended, runs them again after it has: it may have been creating files or a server. */
  async close(trial: Promise<unknown>): Promise<void> {
    this.isClosed = true
    let hasEnded = false
    const ended = trial
      .catch(() => undefined)
      .then(() => {
        hasEnded = true
      })
    await Promise.race([ended, sleep(0)])
    if (!hasEnded) {
      await this.runAll(() => undefined)
      await Promise.race([ended, sleep(trialEndMs)])
    }
    await this.runAll((error) => console.error(error))
  }

  private async runAll(onError: (error: unknown) => void): Promise<void> {
    for (const cleanup of [...this].reverse()) {
      const tooLong = sleep(cleanupMs).then(() => Promise.reject(new Error('A cleanup did not end in time')))
      await Promise.race([cleanup(), tooLong]).catch(onError)
    }
  }
}

/** How long an interrupted trial may take to end, for example because it is starting Postgres */
const trialEndMs = 10_000
/** How long a cleanup may take before the next one is run */
const cleanupMs = 10_000

function interruption(limitMs: number | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (limitMs !== undefined) setTimeout(() => reject(new Error(`The run did not end within ${limitMs} ms`)), limitMs).unref()
    // Ctrl+C arrives twice, from the terminal and from tsx.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => reject(new Error(signal)))
  })
}
