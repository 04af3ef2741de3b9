import type { Random } from '../../torture/random.js'
import type { Fault } from './faults.js'
import { listKey, listPages, productKeys } from './registers.js'

export type Operation = { at: number } & (
  | { kind: 'read'; process: number; keys: readonly string[] }
  | ({ kind: 'mutate'; process: number; whileDelivering: readonly ReadAfter[]; thenRead: readonly ReadAfter[] } & Write)
  /** `waits`: for cache_wait(), after the commit */
  | ({ kind: 'sql'; rollsBack: boolean; waits: boolean; thenRead: readonly ReadAfter[] } & Write)
)

/** After the commit of a mutation, or after its answer */
interface ReadAfter {
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

export interface Shape {
  processes: number
  products: number
  activeMs: number
  faults: readonly Fault[]
}

/** What is read and written, and when: sparse or dense, mostly around writes and faults. */
export function createOperations(random: Random, shape: Shape): Operation[] {
  const workload = new Workload(random, shape)
  workload.readNowAndThen()
  const perSecond = random.pick([0.3, 1, 3])
  for (let left = Math.max(1, Math.round((perSecond * shape.activeMs) / 1000)); left > 0; left -= 1) workload.writeAt(null)
  for (const fault of shape.faults) workload.strike(fault)
  return workload.operations.sort((a, b) => a.at - b.at)
}

class Workload {
  readonly operations: Operation[] = []
  private readonly products: readonly string[]
  /** The share of changes that are made by mutations */
  private readonly apiShare: number

  constructor(
    private readonly random: Random,
    private readonly shape: Shape,
  ) {
    this.products = productKeys(shape.products)
    this.apiShare = random.pick([0.2, 0.5, 0.9])
  }

  readNowAndThen(): void {
    const { random, shape } = this
    const perSecond = random.pick([0, 1, 5, 30])
    for (let left = (perSecond * shape.activeMs) / 1000; left > 0; left -= 1) this.readAt(this.anyTime())
    // So that there is something to be wrong about
    for (let process = 0; process < shape.processes; process += 1) this.readAt(200 + process, this.products, process)
  }

  /** A change, with reads before and after it; null: at any time */
  writeAt(when: number | null): void {
    const { random } = this
    const at = this.inTime(when ?? this.anyTime())
    const write = this.createWrite()
    const read = () => [random.pick(write.keys.map((key) => (key === listKey ? random.pick(listPages) : key)))]
    for (let left = random.between(0, 3); left > 0; left -= 1) this.readAt(at - random.next() * random.pick([2, 20, 200]), read())
    for (let left = random.between(1, 6); left > 0; left -= 1)
      this.readAt(at + random.next() * random.pick([5, 50, 800, 2_500]), read())
    this.push(at, write, read)
    // What was fetched after the first change is still on its way when the second one comes.
    if (random.chance(0.3)) this.push(at + random.next() * random.pick([30, 200]), write, read)
  }

  /** Reads and writes that show what a fault does */
  strike(fault: Fault): void {
    const { random } = this
    const { at, forMs } = fault
    const end = at + forMs
    if (fault.kind === 'row locked' && random.chance(0.5)) this.crowd(fault)
    if (fault.kind === 'process stopped') this.catchInTheMiddle(fault)
    if (fault.kind === 'connections flapping') this.mutateAllTheTime(at + 5, Math.min(forMs, 1_200), fault.process ?? 0)
    if (fault.kind === 'unreachable' && random.chance(0.5)) this.readOwnAfterwards(fault)
    if (fault.kind === 'connections reset' && random.chance(0.5)) this.mutateAllTheTime(at - 30, 100, fault.process ?? 0)
    if (fault.kind === 'connections dying') this.readAfterTheEnd(fault)
    if (fault.kind === 'redis restarted') this.changeWhatIsSaved(fault)
    // Nobody notices anything.
    if (random.chance(0.25)) return
    if (random.chance(0.7)) this.writeAt(at + random.next() * forMs)
    if (random.chance(0.5)) this.writeAt(at - random.next() * random.pick([4, 50]))
    if (random.chance(0.3)) this.writeAt(end - random.next() * 50)
    if (random.chance(0.3)) this.writeAt(end + random.next() * random.pick([3, 10, 60]))
    for (let left = random.between(0, 4); left > 0; left -= 1) this.readAt(at + random.next() * (forMs + 200))
    for (let left = random.between(1, 6); left > 0; left -= 1) this.readAt(end + random.next() * random.pick([20, 300, 2_000]))
  }

  /** More mutations wait for a row than there are connections to the database; other rows are changed and read meanwhile. */
  private crowd({ at, key }: Extract<Fault, { kind: 'row locked' }>): void {
    const { random } = this
    for (let left = random.between(4, 24); left > 0; left -= 1) {
      const process = left % this.shape.processes
      this.mutate(at + 1 + random.next() * 50, process, { keys: [key], exists: true, holdMs: 0 })
    }
    this.changeBySql(at + 60 + random.next() * 500, { keys: [listKey], exists: true, holdMs: 0 })
    for (let left = 20; left > 0; left -= 1) this.readAt(at + 200 * left, [random.pick(listPages)])
  }

  /** Changes that a process is just delivering, of what the others go on reading */
  private catchInTheMiddle({ at, forMs }: Fault): void {
    const { random } = this
    const keys = [random.pick(this.products)]
    this.readAt(at - 60, keys)
    this.changeBySql(at - 1 - random.next() * 5, { keys, exists: true, holdMs: 0 })
    for (let left = random.between(1, 6); left > 0; left -= 1) this.readAt(at + random.next() * forMs, keys)
  }

  /** A change between the moment to which a server goes back and its end */
  private changeWhatIsSaved({ at, forMs, olderByMs }: Extract<Fault, { kind: 'redis restarted' }>): void {
    const { random } = this
    const keys = [random.pick(this.products)]
    this.readAt(at - olderByMs - 150, keys)
    this.changeBySql(at - random.next() * olderByMs, { keys, exists: true, holdMs: 0 })
    for (let left = 3; left > 0; left -= 1) this.readAt(at + forMs + 60 + random.next() * 600, keys)
  }

  /** A mutation that cannot be delivered, and reads by the same process from the moment when it can */
  private readOwnAfterwards({ at, forMs, process }: Extract<Fault, { kind: 'unreachable' }>): void {
    const { random } = this
    const keys = [random.pick(this.products)]
    this.readAt(at - 60, keys, process ?? 0)
    this.mutate(at + random.next() * 80, process ?? 0, { keys, exists: true, holdMs: 0 })
    for (let left = 16; left > 0; left -= 1) this.readAt(at + forMs + random.next() * 600, keys, process ?? 0)
  }

  private mutateAllTheTime(from: number, forMs: number, process: number): void {
    const { random } = this
    const keys = [random.pick(this.products)]
    this.readAt(from - 1_300, keys, process)
    for (let at = from; at < from + forMs; at += random.between(1, 40)) {
      this.mutate(at, process, { keys, exists: true, holdMs: 0 })
      for (let left = 2; left > 0; left -= 1) this.readAt(at + random.next() * random.pick([120, 500]), keys, process)
    }
  }

  /** A change of which the last message on its way may tell, and reads for as long as the near store may still answer */
  private readAfterTheEnd({ at, forMs, process, lateByMs }: Extract<Fault, { kind: 'connections dying' }>): void {
    const { random } = this
    const keys = [random.pick(this.products)]
    const end = at + forMs
    this.changeBySql(end - lateByMs + random.next() * 25, { keys, exists: true, holdMs: 0 })
    for (const its of process === null ? [0, 1] : [process]) {
      for (const earlierMs of [400, 150, 40]) this.readAt(end - lateByMs - earlierMs, keys, its)
      for (let left = 12; left > 0; left -= 1) this.readAt(end + 330 + random.next() * 190, keys, its)
    }
  }

  private push(at: number, write: Write, read: () => readonly string[]): void {
    const { random } = this
    if (!random.chance(this.apiShare)) {
      const thenRead = Array.from({ length: random.between(1, 4) }, () => {
        return { afterMs: random.next() * random.pick([0, 3, 30, 400]), process: this.anyProcess(), keys: read() }
      })
      this.changeBySql(at, write, { rollsBack: random.chance(0.1), waits: random.chance(0.5), thenRead })
      return
    }
    const process = this.anyProcess()
    const during = (): ReadAfter => ({ afterMs: random.next() * random.pick([1, 10]), process, keys: read() })
    const after = (_: unknown, index: number): ReadAfter => ({
      afterMs: index === 0 ? 0 : random.next() * random.pick([3, 30, 400]),
      process: index < 2 ? process : this.anyProcess(),
      keys: read(),
    })
    this.mutate(at, process, write, {
      whileDelivering: Array.from({ length: random.pick([0, 0, 2, 5]) }, during),
      thenRead: Array.from({ length: random.between(1, 4) }, after),
    })
  }

  private readAt(at: number, keys: readonly string[] = this.anyKeys(), process = this.anyProcess()): void {
    this.operations.push({ kind: 'read', at: this.inTime(at), process, keys })
  }

  private mutate(
    at: number,
    process: number,
    write: Write,
    reads: { whileDelivering: ReadAfter[]; thenRead: ReadAfter[] } = { whileDelivering: [], thenRead: [] },
  ): void {
    this.operations.push({ kind: 'mutate', at: this.inTime(at), process, ...write, ...reads })
  }

  private changeBySql(
    at: number,
    write: Write,
    after: { rollsBack: boolean; waits: boolean; thenRead: ReadAfter[] } = { rollsBack: false, waits: false, thenRead: [] },
  ): void {
    this.operations.push({ kind: 'sql', at: this.inTime(at), ...after, ...write })
  }

  private createWrite(): Write {
    const { random } = this
    const holdMs = random.chance(0.15) ? random.pick([20, 300, 1_500]) : 0
    if (random.chance(0.15)) return { keys: [listKey], exists: true, holdMs }
    if (random.chance(0.2)) return { keys: this.products, exists: true, holdMs }
    return { keys: [random.pick(this.products)], exists: !random.chance(0.15), holdMs }
  }

  private anyKeys(): readonly string[] {
    const { random } = this
    return random.chance(0.15) ? this.products : [random.pick([...this.products, ...listPages])]
  }

  private anyProcess(): number {
    return this.random.between(0, this.shape.processes - 1)
  }

  private anyTime(): number {
    return this.random.between(200, this.shape.activeMs)
  }

  private inTime(at: number): number {
    return Math.max(200, Math.min(this.shape.activeMs, at))
  }
}
