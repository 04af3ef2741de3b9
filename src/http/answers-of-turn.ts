import type { ServerResponse } from 'node:http'

interface Answer {
  startedAt: number
  operation: string | undefined
  response: ServerResponse
  head: readonly string[]
  body: string | Buffer
}

/**
 * Sends the answers of one turn of the event loop together, after all of its requests have been read. Every write may wake the reader
 * at the other end, which is dear (on a virtual machine more than most answers cost); written together, many are read at once.
 */
export class AnswersOfTurn {
  private answers: Answer[] = []

  /** Observes every answer once it was written, with the name of its operation. */
  constructor(private readonly observe: (operation: string | undefined, seconds: number) => void) {}

  add(answer: Answer): void {
    if (this.answers.push(answer) === 1) setImmediate(() => this.send())
  }

  private send(): void {
    const { answers } = this
    this.answers = []
    for (const { response, head, body } of answers) response.writeHead(200, head as string[]).end(body)
    const now = performance.now()
    for (const { operation, startedAt } of answers) this.observe(operation, (now - startedAt) / 1000)
  }
}
