import { LRUCache } from 'lru-cache'
import { Distribution, latencyBounds } from './distribution.js'

/**
 * How a request ended: in the lane, or the ordinary way: answered without errors, with some, or refused before anything was executed
 * (malformed, invalid, not allowed).
 */
export type Ending = 'lane' | 'ok' | 'errors' | 'refused'

export interface OperationFigures {
  readonly endings: Record<Ending, number>
  readonly durations: Distribution
  /** How often it came of late, halved now and then */
  recent: number
}

export interface RequestFiguresOptions {
  maxOperations: number
  /** Milliseconds; only differences matter. */
  now: () => number
}

/**
 * Requests by operation. Names come from clients, so only so many are told apart: those that came most often of late. A name that has to
 * make room for another is counted as "other" from then on, with all that it had.
 */
export class RequestFigures {
  private readonly operations = new Map<string, OperationFigures>()
  private named = 0
  /** How often names came of late that are not told apart */
  private readonly candidates = new LRUCache<string, number>({ max: maxCandidates })
  private halvedAt: number

  constructor(private readonly options: RequestFiguresOptions) {
    this.halvedAt = options.now()
  }

  /** Of an executed document: `undefined` for one without a name */
  observe(operation: string | undefined, ending: Ending, seconds: number): void {
    const name = operation ?? 'anonymous'
    const figures = this.operations.get(name) ?? this.find(name)
    figures.recent += 1
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

  private find(name: string): OperationFigures {
    if (ownNames.has(name)) return this.add(name)
    if (name.length > maxNameLength || !this.hasRoomFor(name)) return this.operations.get('other') ?? this.add('other')
    this.named += 1
    return this.add(name)
  }

  private add(name: string): OperationFigures {
    const figures = {
      endings: { lane: 0, ok: 0, errors: 0, refused: 0 },
      durations: new Distribution(latencyBounds),
      recent: 0,
    }
    this.operations.set(name, figures)
    return figures
  }

  private hasRoomFor(name: string): boolean {
    if (this.named < this.options.maxOperations) return true
    this.halve()
    const times = (this.candidates.get(name) ?? 0) + 1
    this.candidates.set(name, times)
    const [rarest, figures] = this.rarest()
    if (times <= figures.recent) return false
    this.candidates.delete(name)
    this.operations.delete(rarest)
    this.named -= 1
    addTo(this.operations.get('other') ?? this.add('other'), figures)
    return true
  }

  private rarest(): [string, OperationFigures] {
    return [...this.operations]
      .filter(([name]) => !ownNames.has(name))
      .reduce((least, its) => (its[1].recent < least[1].recent ? its : least))
  }

  private halve(): void {
    const times = Math.floor((this.options.now() - this.halvedAt) / halvedEveryMs)
    if (times === 0) return
    this.halvedAt += times * halvedEveryMs
    for (const figures of this.operations.values()) figures.recent = Math.floor(figures.recent / 2 ** times)
    this.candidates.clear()
  }
}

function addTo(sum: OperationFigures, { endings, durations }: OperationFigures): void {
  for (const [ending, count] of Object.entries(endings) as [Ending, number][]) sum.endings[ending] += count
  for (const [bucket, count] of durations.counts.entries())
    sum.durations.counts[bucket] = (sum.durations.counts[bucket] ?? 0) + count
  sum.durations.sumSeconds += durations.sumSeconds
}

/** Not names of operations; they always have a place. */
const ownNames = new Set(['anonymous', 'unknown', 'other'])
const maxNameLength = 64
const maxCandidates = 200
const halvedEveryMs = 600_000
