import type { Cache } from '../../src/cache/cache.js'
import { Random } from '../../torture/random.js'
import { sharedClockMs } from './clock.js'
import { fetchItems, type Namespaces } from './items.js'
import { load } from './load.js'
import type { Task } from './messages.js'
import { zipf } from './zipf.js'

const stepMs = 10

/** Reads and removals at a fixed rate, the same for equal seeds: most of few items, few of most. */
export class Work {
  operations = 0
  removals = 0
  readonly probesRemoved: [string, number][] = []
  private probesDue = 0
  private started = 0
  private readonly random: Random
  private readonly pick: () => number
  private readonly underWay = new Set<Promise<unknown>>()
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly cache: Cache,
    private readonly namespaces: Namespaces,
    private readonly task: Task,
  ) {
    this.random = new Random(task.seed, `process ${task.index}`)
    this.pick = zipf(load.items, this.random)
  }

  start(): void {
    this.started = performance.now()
    this.timer = setInterval(() => this.catchUp(), stepMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
    await Promise.all(this.underWay)
  }

  private catchUp(): void {
    const seconds = (performance.now() - this.started) / 1000
    for (; this.operations < seconds * load.operationsPerSecond; this.operations += 1) this.operate()
    for (; this.probesDue < Math.min(seconds * load.probesPerSecond, this.task.probes); this.probesDue += 1) this.probe()
  }

  private operate(): void {
    const { items } = this.namespaces
    const id = String(this.pick())
    const isRemoval = this.random.chance(load.removalShare)
    if (isRemoval) this.removals += 1
    this.track(isRemoval ? this.cache.invalidate(items, { ids: [id] }) : this.cache.getOrFetch(items, id, fetchItems))
  }

  /** The processes take turns. */
  private probe(): void {
    if (this.probesDue % load.processes !== this.task.index) return
    const id = String(this.probesDue)
    this.removals += 1
    this.probesRemoved.push([id, sharedClockMs()])
    this.track(this.cache.invalidate(this.namespaces.probes, { ids: [id] }))
  }

  private track(work: Promise<unknown>): void {
    const done = work.finally(() => this.underWay.delete(done))
    this.underWay.add(done)
  }
}
