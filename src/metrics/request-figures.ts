import { Distribution, latencyBounds } from './distribution.js'

/**
 * How a request ended: in the lane, or the ordinary way: answered without errors, with some, or refused before anything was executed
 * (malformed, invalid, not allowed).
 */
export type Ending = 'lane' | 'ok' | 'errors' | 'refused'

export interface OperationFigures {
  readonly endings: Record<Ending, number>
  readonly durations: Distribution
}

/** Requests by operation. Names come from clients, so only the first so many are told apart. */
export class RequestFigures {
  private readonly operations = new Map<string, OperationFigures>()
  private named = 0

  constructor(private readonly maxOperations: number) {}

  /** Of an executed document: `undefined` for one without a name */
  observe(operation: string | undefined, ending: Ending, seconds: number): void {
    const figures = this.operations.get(operation ?? 'anonymous') ?? this.add(operation ?? 'anonymous')
    figures.endings[ending] += 1
    figures.durations.observe(seconds)
  }

  /** Nothing that it says of itself is believed. */
  observeUnknown(seconds: number): void {
    this.observe('unknown', 'refused', seconds)
  }

  byOperation(): ReadonlyMap<string, OperationFigures> {
    return this.operations
  }

  private add(operation: string): OperationFigures {
    if (!ownNames.has(operation)) {
      const isAllowed = operation.length <= maxNameLength && this.named < this.maxOperations
      if (!isAllowed) return this.operations.get('other') ?? this.add('other')
      this.named += 1
    }
    const figures = {
      endings: { lane: 0, ok: 0, errors: 0, refused: 0 },
      durations: new Distribution(latencyBounds),
    }
    this.operations.set(operation, figures)
    return figures
  }
}

/** Not names of operations; they always have a place. */
const ownNames = new Set(['anonymous', 'unknown', 'other'])
const maxNameLength = 64
