import { startDeadline } from './deadline.js'

/** Who has to acknowledge: members by id, with the milliseconds that each may go on answering from what it keeps. */
export type Awaited = ReadonlyMap<string, number>

/**
 * Waits until the members of a channel have applied a removal. They acknowledge numbers in their order, so a larger one covers all before.
 * Who does not answer is waited for until its lease has run out, and not longer.
 */
export class Acknowledgements {
  private readonly waiting = new Set<Waiting>()

  /** Gives the members that did not acknowledge. */
  waitFor(number: number, awaited: Awaited): Promise<string[]> {
    if (awaited.size === 0) return Promise.resolve([])
    return new Promise((resolve) => {
      const missing = new Set(awaited.keys())
      const deadline = startDeadline(Math.max(...awaited.values()), () => waiting.end())
      const waiting: Waiting = {
        number,
        missing,
        end: () => {
          deadline.cancel()
          this.waiting.delete(waiting)
          resolve([...missing])
        },
      }
      this.waiting.add(waiting)
    })
  }

  acknowledge(member: string, number: number): void {
    for (const waiting of this.waiting) {
      if (waiting.number > number || !waiting.missing.delete(member)) continue
      if (waiting.missing.size === 0) waiting.end()
    }
  }
}

interface Waiting {
  number: number
  missing: Set<string>
  end(): void
}
