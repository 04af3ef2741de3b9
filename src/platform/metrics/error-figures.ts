/** Errors that clients were told of, by code. An answer counts once for each code that it has. */
export class ErrorFigures {
  private readonly counts: Map<string, number>

  /** Any other code counts as "other": what is a label must be bounded. */
  constructor(codes: readonly string[]) {
    this.counts = new Map([...codes, 'other'].map((code) => [code, 0]))
  }

  count(codes: readonly string[]): void {
    for (const code of new Set(codes)) {
      const its = this.counts.has(code) ? code : 'other'
      this.counts.set(its, (this.counts.get(its) ?? 0) + 1)
    }
  }

  byCode(): ReadonlyMap<string, number> {
    return this.counts
  }
}
