/** A fake clock that only moves by `advance` and `sleep`. */
export function createClock(startMs = Date.UTC(2026, 0, 31)) {
  let time = startMs
  return {
    now: () => time,
    advance: (ms: number) => {
      time += ms
    },
    sleep: async (ms: number) => {
      time += ms
      // Lets pending callbacks of the event loop run.
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

export type Clock = ReturnType<typeof createClock>
