const sampleMs = 20
/** Less than the timeout of a Redis command (250 ms), which is a part of the delivery of a change */
const stallMs = 100

/** Calls `onStall` whenever this process was not scheduled for longer than `stallMs`. */
export function watchStalls(onStall: (ms: number) => void): void {
  let last = performance.now()
  const sample = () => {
    const now = performance.now()
    if (now - last > stallMs) onStall(now - last)
    last = now
  }
  setInterval(sample, sampleMs).unref()
}
