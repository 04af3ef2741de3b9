import { startDeadline } from './deadline.js'

/**
 * Members that have to acknowledge a removal. Contains, for each id, how many more milliseconds the member may answer from its
 * near store.
 */
export type AwaitedMembers = ReadonlyMap<string, number>

/**
 * Tracks which removals the members of a channel (the processes with a near store) have applied. Members acknowledge sequence
 * numbers in order, so the acknowledgement of a number covers all smaller numbers.
 */
export class Acknowledgements {
  private readonly pending = new Set<PendingRemoval>()

  /**
   * Call this before publishing a removal, because members may acknowledge the removal before this process receives its sequence
   * number.
   */
  trackRemoval(): PendingRemoval {
    const removal = new PendingRemoval(() => this.pending.delete(removal))
    this.pending.add(removal)
    return removal
  }

  acknowledge(member: string, sequenceNumber: number): void {
    for (const removal of this.pending) removal.acknowledge(member, sequenceNumber)
  }
}

export class PendingRemoval {
  /** For each member, the largest sequence number that it has acknowledged since `trackRemoval` was called */
  private readonly largestByMember = new Map<string, number>()
  private onAcknowledgement: () => void = () => undefined

  /** `close` ends the tracking. Call it in any case, also if the removal was not published. */
  constructor(readonly close: () => void) {}

  acknowledge(member: string, sequenceNumber: number): void {
    this.largestByMember.set(member, Math.max(sequenceNumber, this.largestByMember.get(member) ?? 0))
    this.onAcknowledgement()
  }

  /**
   * Waits until all members have acknowledged the removal, or until the last of their leases has expired. Resolves to the members
   * that have not acknowledged the removal. A removal without a sequence number (NaN) cannot be acknowledged.
   */
  waitFor(sequenceNumber: number, awaited: AwaitedMembers): Promise<string[]> {
    const missing = () => [...awaited.keys()].filter((member) => !((this.largestByMember.get(member) ?? 0) >= sequenceNumber))
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
