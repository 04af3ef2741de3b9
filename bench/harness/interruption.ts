import process from 'node:process'

export class Interrupted extends Error {}

/** Rejects at a signal, at an uncaught error and after `limitMs`, so that the caller can clean up. */
export function interruption(limitMs: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(
      () => reject(new Interrupted(`The benchmark did not end within ${Math.round(limitMs / 60_000)} minutes`)),
      limitMs,
    ).unref()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => reject(new Interrupted(signal)))
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, (error) => reject(error))
  })
}
