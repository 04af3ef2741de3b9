/**
 * A circuit breaker: callers do not wait for a server that does not answer. It opens after a number of consecutive failures and
 * closes when a health check reports a success. Only missing answers count as failures; an error reply is an answer.
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
