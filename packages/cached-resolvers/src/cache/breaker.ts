/**
 * Keeps callers from waiting for a server that does not answer: after a number of failures in a row it is open, and stays
 * so until somebody who probes the server reports a success. Only failures to answer count, never an answer that displeases.
 */
export class Breaker {
  private failures = 0

  constructor(private readonly failuresToOpen: number) {}

  get open(): boolean {
    return this.failures >= this.failuresToOpen
  }

  succeeded(): void {
    this.failures = 0
  }

  failed(): void {
    this.failures += 1
  }
}
