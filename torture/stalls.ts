const sampleMs = 20
/** A command to Redis may take 250 ms, and is part of the way of a change to a reader. */
const stallMs = 100

/** Watches whether this process gets to run: calls back after each time when it did not for so long. */
export function watchStalls(stalled: (ms: number) => void): void {
  let last = performance.now()
  const sample = () => {
    const now = performance.now()
    if (now - last > stallMs) stalled(now - last)
    last = now
  }
  setInterval(sample, sampleMs).unref()
}
