/**
 * A circuit breaker, so that callers do not wait for a server that does not answer. The breaker opens after a number of
 * consecutive failures and closes at the next success, for example of a health check. Only a missing answer counts as a failure;
 * an error reply counts as a success.
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
