import { startDeadline } from './deadline.js'

/** By id of each member that has to acknowledge: how many milliseconds it may still answer from its near store. */
export type AwaitedMembers = ReadonlyMap<string, number>

/**
 * Tracks which removals the members of a channel have applied. Members acknowledge sequence numbers in order, so a number also
 * acknowledges all smaller ones.
 */
export class Acknowledgements {
  private readonly pending = new Set<PendingRemoval>()

  /** Call this before a removal is published: members may acknowledge it before this process receives its sequence number. */
  trackRemoval(): PendingRemoval {
    const removal = new PendingRemoval(() => this.pending.delete(removal))
    this.pending.add(removal)
    return removal
  }

  acknowledge(member: string, number: number): void {
    for (const removal of this.pending) removal.acknowledge(member, number)
  }
}

export class PendingRemoval {
  /** By member, the largest number acknowledged since `trackRemoval` */
  private readonly largestByMember = new Map<string, number>()
  private onAcknowledgement: () => void = () => undefined

  constructor(readonly close: () => void) {}

  acknowledge(member: string, number: number): void {
    this.largestByMember.set(member, Math.max(number, this.largestByMember.get(member) ?? 0))
    this.onAcknowledgement()
  }

  /**
   * Waits until all members have applied the removal, and for a silent member no longer than until its lease expires. Returns the
   * members that did not acknowledge.
   */
  waitFor(number: number, awaited: AwaitedMembers): Promise<string[]> {
    const missing = () => [...awaited.keys()].filter((member) => !((this.largestByMember.get(member) ?? 0) >= number))
    return new Promise((resolve) => {
      const end = () => {
        deadline?.cancel()
        this.close()
        resolve(missing())
      }
      const deadline = missing().length > 0 ? startDeadline(Math.max(...awaited.values()), end) : undefined
      this.onAcknowledgement = () => {
        if (missing().length === 0) end()
      }
      this.onAcknowledgement()
    })
  }
}
