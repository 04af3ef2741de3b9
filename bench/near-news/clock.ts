/** CLOCK_MONOTONIC, the same in all processes of a machine */
export function sharedClockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
