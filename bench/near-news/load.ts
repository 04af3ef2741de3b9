/** The same for every variant */
export const load = {
  processes: 3,
  items: 20_000,
  /** One item in so many is not in Redis at the beginning. */
  coldEvery: 10,
  /** By each process */
  operationsPerSecond: 2_000,
  /** Of the operations; the others are reads. */
  removalShare: 0.01,
  fetchMs: 2,
  warmSeconds: 3,
  /** Each is removed once and touched by nothing else, so what is heard of it is the news of that removal. */
  probesPerSecond: 10,
}

export function probeCount(seconds: number): number {
  return (load.warmSeconds + seconds) * load.probesPerSecond
}
