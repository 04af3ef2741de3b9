import type { Worker } from 'node:cluster'
import { startDeadline } from 'cached-resolvers'
import { sendMessage } from './ipc.js'

/** Messages from a worker that the primary forwards to the other workers */
export type SiblingMessage =
  | { sibling: 'request'; requestId: number }
  | { sibling: 'response'; to: number; requestId: number; answer: unknown }

/** Messages from the primary to a worker */
export type SiblingDelivery =
  | { sibling: 'forwarded'; requestId: number; count: number }
  | { sibling: 'request'; from: number; requestId: number }
  | { sibling: 'response'; requestId: number; answer: unknown }

interface OpenRequest {
  /** The number of workers that the primary has forwarded the request to; undefined until the primary has reported it */
  asked: number | undefined
  answers: unknown[]
  settle: () => void
}

/** A worker's access to the metrics of the other workers. The primary forwards the messages. */
export class SiblingMetrics {
  private readonly open = new Map<number, OpenRequest>()
  private lastRequestId = 0
  private answer: (() => Promise<unknown>) | undefined

  constructor(
    private readonly worker: Worker,
    private readonly timeoutMs: number,
  ) {
    worker.on('message', (message: unknown) => {
      if (isSiblingMessage(message)) this.receive(message as SiblingDelivery)
    })
  }

  get id(): number {
    return this.worker.id
  }

  /**
   * Collects the metrics of the other workers, without those that do not answer in time. `asked` is the number of all other
   * workers.
   */
  collect(): Promise<{ asked: number; answers: unknown[] }> {
    this.lastRequestId += 1
    const requestId = this.lastRequestId
    return new Promise((resolve) => {
      const request: OpenRequest = {
        asked: undefined,
        answers: [],
        settle: () => {
          deadline.cancel()
          this.open.delete(requestId)
          resolve({ asked: request.asked ?? 0, answers: request.answers.filter((answer) => answer !== null) })
        },
      }
      const deadline = startDeadline(this.timeoutMs, () => request.settle())
      this.open.set(requestId, request)
      this.send({ sibling: 'request', requestId })
    })
  }

  replyWith(answer: () => Promise<unknown>): void {
    this.answer = answer
  }

  private receive(message: SiblingDelivery): void {
    if (message.sibling === 'request') return void this.reply(message)
    const request = this.open.get(message.requestId)
    if (!request) return
    if (message.sibling === 'forwarded') request.asked = message.count
    else request.answers.push(message.answer)
    if (request.answers.length === request.asked) request.settle()
  }

  /**
   * Replies with null if this worker has no metrics yet or fails to read them, so that the requester does not wait for the
   * timeout.
   */
  private async reply({ from, requestId }: { from: number; requestId: number }): Promise<void> {
    const answer = (await this.answer?.().catch(() => null)) ?? null
    this.send({ sibling: 'response', to: from, requestId, answer })
  }

  private send(message: SiblingMessage): void {
    sendMessage(this.worker, message)
  }
}

/**
 * The primary's side: forwards requests for metrics from this worker to all other workers, and the answers of this worker to
 * requesters.
 */
export function forwardSiblingMessages(worker: Worker, workers: () => readonly Worker[]): void {
  const deliver = (to: Worker, message: SiblingDelivery) => sendMessage(to, message)
  worker.on('message', (message: unknown) => {
    if (!isSiblingMessage(message)) return
    const sent = message as SiblingMessage
    const others = workers().filter((other) => other !== worker && other.isConnected())
    if (sent.sibling === 'request') {
      for (const other of others) deliver(other, { sibling: 'request', from: worker.id, requestId: sent.requestId })
      deliver(worker, { sibling: 'forwarded', requestId: sent.requestId, count: others.length })
      return
    }
    const requester = others.find(({ id }) => id === sent.to)
    if (requester) deliver(requester, { sibling: 'response', requestId: sent.requestId, answer: sent.answer })
  })
}

function isSiblingMessage(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'sibling' in message
}
