import type { Random } from '../../torture/random.js'
import type { Fault } from './faults.js'
import { listKey, listPages, productKeys } from './registers.js'

export type Operation = { at: number } & (
  | { kind: 'read'; process: number; keys: readonly string[] }
  | ({
      kind: 'mutate'
      process: number
      readsDuringDelivery: readonly FollowUpRead[]
      readsAfter: readonly FollowUpRead[]
    } & Write)
  /** `waits`: calls cache_wait() after the commit */
  | ({ kind: 'sql'; rollsBack: boolean; waits: boolean; readsAfter: readonly FollowUpRead[] } & Write)
)

/** A read after the commit of a mutation, or after its answer */
interface FollowUpRead {
  afterMs: number
  process: number
  keys: readonly string[]
}

interface Write {
  keys: readonly string[]
  exists: boolean
  /** How long the transaction stays open after its statement */
  holdMs: number
}

export interface WorkloadOptions {
  processes: number
  products: number
  activeMs: number
  faults: readonly Fault[]
}

/** Creates reads and writes, sparse or dense, mostly around writes and faults. */
export function createOperations(random: Random, options: WorkloadOptions): Operation[] {
  const workload = new Workload(random, options)
  workload.addRandomReads()
  const perSecond = random.pick([0.3, 1, 3])
  for (let left = Math.max(1, Math.round((perSecond * options.activeMs) / 1000)); left > 0; left -= 1) workload.addWrite(null)
  for (const fault of options.faults) workload.addOperationsAround(fault)
  return workload.operations.sort((a, b) => a.at - b.at)
}

class Workload {
  readonly operations: Operation[] = []
  private readonly products: readonly string[]
  /** Share of the changes that are made by mutations; SQL makes the rest */
  private readonly apiShare: number

  constructor(
    private readonly random: Random,
    private readonly options: WorkloadOptions,
  ) {
    this.products = productKeys(options.products)
    this.apiShare = random.pick([0.2, 0.5, 0.9])
  }

  addRandomReads(): void {
    const { random, options } = this
    const perSecond = random.pick([0, 1, 5, 30])
    for (let left = (perSecond * options.activeMs) / 1000; left > 0; left -= 1) this.readAt(this.randomTime())
    // Fill the caches, so that something can become stale.
    for (let process = 0; process < options.processes; process += 1) this.readAt(200 + process, this.products, process)
  }

  /** Adds a change, with reads before and after it. null: at a random time */
  addWrite(time: number | null): void {
    const { random } = this
    const at = this.clamp(time ?? this.randomTime())
    const write = this.createWrite()
    const read = () => [random.pick(write.keys.map((key) => (key === listKey ? random.pick(listPages) : key)))]
    for (let left = random.between(0, 3); left > 0; left -= 1) this.readAt(at - random.next() * random.pick([2, 20, 200]), read())
    for (let left = random.between(1, 6); left > 0; left -= 1)
      this.readAt(at + random.next() * random.pick([5, 50, 800, 2_500]), read())
    this.addChange(at, write, read)
    // The fetch after the first change may still be running when the second change is made.
    if (random.chance(0.3)) this.addChange(at + random.next() * random.pick([30, 200]), write, read)
  }

  /** Adds reads and writes that expose the effects of a fault. */
  addOperationsAround(fault: Fault): void {
    const { random } = this
    const { at, forMs } = fault
    const end = at + forMs
    if (fault.kind === 'row locked' && random.chance(0.5)) this.addLockContention(fault)
    if (fault.kind === 'process stopped') this.addChangeDuringDelivery(fault)
    if (fault.kind === 'connections flapping') this.addSteadyMutations(at + 5, Math.min(forMs, 1_200), fault.process ?? 0)
    if (fault.kind === 'unreachable' && random.chance(0.5)) this.addReadsOfOwnWrite(fault)
    if (fault.kind === 'connections reset' && random.chance(0.5)) this.addSteadyMutations(at - 30, 100, fault.process ?? 0)
    if (fault.kind === 'connections dying') this.addReadsAfterLastMessage(fault)
    if (fault.kind === 'redis restarted') this.addChangeAfterSnapshot(fault)
    // Sometimes no operation notices the fault.
    if (random.chance(0.25)) return
    if (random.chance(0.7)) this.addWrite(at + random.next() * forMs)
    if (random.chance(0.5)) this.addWrite(at - random.next() * random.pick([4, 50]))
    if (random.chance(0.3)) this.addWrite(end - random.next() * 50)
    if (random.chance(0.3)) this.addWrite(end + random.next() * random.pick([3, 10, 60]))
    for (let left = random.between(0, 4); left > 0; left -= 1) this.readAt(at + random.next() * (forMs + 200))
    for (let left = random.between(1, 6); left > 0; left -= 1) this.readAt(end + random.next() * random.pick([20, 300, 2_000]))
  }

  /**
   * Adds more mutations that wait for a row than there are database connections, and changes and reads of other rows meanwhile.
   */
  private addLockContention({ at, key }: Extract<Fault, { kind: 'row locked' }>): void {
    const { random } = this
    for (let left = random.between(4, 24); left > 0; left -= 1) {
      const process = left % this.options.processes
      this.mutate(at + 1 + random.next() * 50, process, { keys: [key], exists: true, holdMs: 0 })
    }
    this.changeBySql(at + 60 + random.next() * 500, { keys: [listKey], exists: true, holdMs: 0 })
    for (let left = 20; left > 0; left -= 1) this.readAt(at + 200 * left, [random.pick(listPages)])
  }

  /** Adds a change that the process is delivering when it is stopped, and reads through all processes. */
  private addChangeDuringDelivery({ at, forMs }: Fault): void {
    const { random } = this
    const keys = [random.pick(this.products)]
    this.readAt(at - 60, keys)
    this.changeBySql(at - 1 - random.next() * 5, { keys, exists: true, holdMs: 0 })
    for (let left = random.between(1, 6); left > 0; left -= 1) this.readAt(at + random.next() * forMs, keys)
  }

  /** Adds a change between the snapshot to which the server returns and its crash. */
  private addChangeAfterSnapshot({ at, forMs, olderByMs }: Extract<Fault, { kind: 'redis restarted' }>): void {
    const { random } = this
    const keys = [random.pick(this.products)]
    this.readAt(at - olderByMs - 150, keys)
    this.changeBySql(at - random.next() * olderByMs, { keys, exists: true, holdMs: 0 })
    for (let left = 3; left > 0; left -= 1) this.readAt(at + forMs + 60 + random.next() * 600, keys)
  }

  /** Adds a mutation that cannot be delivered, and reads by the same process from the time at which Redis is reachable again. */
  private addReadsOfOwnWrite({ at, forMs, process }: Extract<Fault, { kind: 'unreachable' }>): void {
    const { random } = this
    const keys = [random.pick(this.products)]
    this.readAt(at - 60, keys, process ?? 0)
    this.mutate(at + random.next() * 80, process ?? 0, { keys, exists: true, holdMs: 0 })
    for (let left = 16; left > 0; left -= 1) this.readAt(at + forMs + random.next() * 600, keys, process ?? 0)
  }

  private addSteadyMutations(from: number, forMs: number, process: number): void {
    const { random } = this
    const keys = [random.pick(this.products)]
    this.readAt(from - 1_300, keys, process)
    for (let at = from; at < from + forMs; at += random.between(1, 40)) {
      this.mutate(at, process, { keys, exists: true, holdMs: 0 })
      for (let left = 2; left > 0; left -= 1) this.readAt(at + random.next() * random.pick([120, 500]), keys, process)
    }
  }

  /** Adds a change whose invalidation message is the last to arrive, and reads for as long as the near store may still answer. */
  private addReadsAfterLastMessage({ at, forMs, process, extraDelayMs }: Extract<Fault, { kind: 'connections dying' }>): void {
    const { random } = this
    const keys = [random.pick(this.products)]
    const end = at + forMs
    this.changeBySql(end - extraDelayMs + random.next() * 25, { keys, exists: true, holdMs: 0 })
    for (const reader of process === null ? [0, 1] : [process]) {
      for (const earlierMs of [400, 150, 40]) this.readAt(end - extraDelayMs - earlierMs, keys, reader)
      for (let left = 12; left > 0; left -= 1) this.readAt(end + 330 + random.next() * 190, keys, reader)
    }
  }

  private addChange(at: number, write: Write, read: () => readonly string[]): void {
    const { random } = this
    if (!random.chance(this.apiShare)) {
      const readsAfter = Array.from({ length: random.between(1, 4) }, () => {
        return { afterMs: random.next() * random.pick([0, 3, 30, 400]), process: this.randomProcess(), keys: read() }
      })
      this.changeBySql(at, write, { rollsBack: random.chance(0.1), waits: random.chance(0.5), readsAfter })
      return
    }
    const process = this.randomProcess()
    const during = (): FollowUpRead => ({ afterMs: random.next() * random.pick([1, 10]), process, keys: read() })
    const after = (_: unknown, index: number): FollowUpRead => ({
      afterMs: index === 0 ? 0 : random.next() * random.pick([3, 30, 400]),
      process: index < 2 ? process : this.randomProcess(),
      keys: read(),
    })
    this.mutate(at, process, write, {
      readsDuringDelivery: Array.from({ length: random.pick([0, 0, 2, 5]) }, during),
      readsAfter: Array.from({ length: random.between(1, 4) }, after),
    })
  }

  private readAt(at: number, keys: readonly string[] = this.randomKeys(), process = this.randomProcess()): void {
    this.operations.push({ kind: 'read', at: this.clamp(at), process, keys })
  }

  private mutate(
    at: number,
    process: number,
    write: Write,
    reads: { readsDuringDelivery: FollowUpRead[]; readsAfter: FollowUpRead[] } = { readsDuringDelivery: [], readsAfter: [] },
  ): void {
    this.operations.push({ kind: 'mutate', at: this.clamp(at), process, ...write, ...reads })
  }

  private changeBySql(
    at: number,
    write: Write,
    after: { rollsBack: boolean; waits: boolean; readsAfter: FollowUpRead[] } = {
      rollsBack: false,
      waits: false,
      readsAfter: [],
    },
  ): void {
    this.operations.push({ kind: 'sql', at: this.clamp(at), ...after, ...write })
  }

  private createWrite(): Write {
    const { random } = this
    const holdMs = random.chance(0.15) ? random.pick([20, 300, 1_500]) : 0
    if (random.chance(0.15)) return { keys: [listKey], exists: true, holdMs }
    if (random.chance(0.2)) return { keys: this.products, exists: true, holdMs }
    return { keys: [random.pick(this.products)], exists: !random.chance(0.15), holdMs }
  }

  private randomKeys(): readonly string[] {
    const { random } = this
    return random.chance(0.15) ? this.products : [random.pick([...this.products, ...listPages])]
  }

  private randomProcess(): number {
    return this.random.between(0, this.options.processes - 1)
  }

  private randomTime(): number {
    return this.random.between(200, this.options.activeMs)
  }

  private clamp(at: number): number {
    return Math.max(200, Math.min(this.options.activeMs, at))
  }
}
