import type { ServerResponse } from 'node:http'
import type { Viewer } from '../../platform/auth/viewer.js'

export interface Answer {
  requestId: string
  viewer: Viewer
  startedAt: number
  operation: string | undefined
  /** In points */
  cost: number
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

  /** Observes every answer once it was written. */
  constructor(private readonly observe: (answer: Answer, seconds: number) => void) {}

  add(answer: Answer): void {
    if (this.answers.push(answer) === 1) setImmediate(() => this.send())
  }

  private send(): void {
    const { answers } = this
    this.answers = []
    for (const { response, head, body } of answers) response.writeHead(200, head as string[]).end(body)
    const now = performance.now()
    for (const answer of answers) this.observe(answer, (now - answer.startedAt) / 1000)
  }
}
