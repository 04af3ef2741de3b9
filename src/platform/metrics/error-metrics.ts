/** Errors in answers to clients, by code. An answer counts once for each code that occurs in it. */
export class ErrorMetrics {
  private readonly counts: Map<string, number>

  /** Any other code counts as "other", because the number of label values must be bounded. */
  constructor(codes: readonly string[]) {
    this.counts = new Map([...codes, 'other'].map((code) => [code, 0]))
  }

  count(codes: readonly string[]): void {
    for (const code of new Set(codes)) {
      const label = this.counts.has(code) ? code : 'other'
      this.counts.set(label, (this.counts.get(label) ?? 0) + 1)
    }
  }

  byCode(): ReadonlyMap<string, number> {
    return this.counts
  }
}
