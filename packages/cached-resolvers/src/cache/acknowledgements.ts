import { startDeadline } from './deadline.js'

/** Who has to acknowledge: members by id, with the milliseconds that each may go on answering from what it keeps. */
export type Awaited = ReadonlyMap<string, number>

/**
 * What the members of a channel have applied. They acknowledge the numbers of removals in their order, so a larger one covers all before.
 */
export class Acknowledgements {
  private readonly open = new Set<OpenRemoval>()

  /** To be called before a removal is published: members may acknowledge it before this process hears its number. */
  expect(): OpenRemoval {
    const removal = new OpenRemoval(() => this.open.delete(removal))
    this.open.add(removal)
    return removal
  }

  acknowledge(member: string, number: number): void {
    for (const removal of this.open) removal.acknowledge(member, number)
  }
}

export class OpenRemoval {
  /** By member, the largest number since the removal was to be published */
  private readonly heard = new Map<string, number>()
  private acknowledged: () => void = () => undefined

  constructor(readonly close: () => void) {}

  acknowledge(member: string, number: number): void {
    this.heard.set(member, Math.max(number, this.heard.get(member) ?? 0))
    this.acknowledged()
  }

  /**
   * Waits until the members have applied it; for each that does not answer, until its lease has run out, and not longer. Gives the members
   * that did not acknowledge.
   */
  waitFor(number: number, awaited: Awaited): Promise<string[]> {
    const missing = () => [...awaited.keys()].filter((member) => !((this.heard.get(member) ?? 0) >= number))
    return new Promise((resolve) => {
      const end = () => {
        deadline?.cancel()
        this.close()
        resolve(missing())
      }
      const deadline = missing().length > 0 ? startDeadline(Math.max(...awaited.values()), end) : undefined
      this.acknowledged = () => {
        if (missing().length === 0) end()
      }
      this.acknowledged()
    })
  }
}
