/** A clock that stands still until it is told to move; sleeping moves it. */
export function createClock(startMs = Date.UTC(2026, 0, 31)) {
  let time = startMs
  return {
    now: () => time,
    advance: (ms: number) => {
      time += ms
    },
    sleep: async (ms: number) => {
      time += ms
      // Lets everything go on that was only waiting for its turn.
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

export type Clock = ReturnType<typeof createClock>
