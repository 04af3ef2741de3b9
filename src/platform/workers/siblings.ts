import type { Worker } from 'node:cluster'
import { startDeadline } from 'cached-resolvers'
import { say } from './say.js'

/** What a worker says to its primary so that it reaches the others, and what the primary says to workers */
export type SiblingMessage =
  | { sibling: 'ask'; question: number }
  | { sibling: 'answer'; to: number; question: number; answer: unknown }

export type SiblingDelivery =
  | { sibling: 'asked'; question: number; count: number }
  | { sibling: 'asks'; by: number; question: number }
  | { sibling: 'answered'; question: number; answer: unknown }

interface Open {
  asked: number | undefined
  answers: unknown[]
  settle: () => void
}

/** The other workers, as one of them sees them; the primary carries what they say. */
export class Siblings {
  private readonly open = new Map<number, Open>()
  private questions = 0
  private answer: (() => Promise<unknown>) | undefined

  constructor(
    private readonly worker: Worker,
    private readonly patienceMs: number,
  ) {
    worker.on('message', (message: unknown) => {
      if (isOfSiblings(message)) this.receive(message as SiblingDelivery)
    })
  }

  get id(): number {
    return this.worker.id
  }

  /** A worker that does not answer in time is left out; the primary says how many were asked. */
  ask(): Promise<{ asked: number; answers: unknown[] }> {
    this.questions += 1
    const question = this.questions
    return new Promise((resolve) => {
      const its: Open = {
        asked: undefined,
        answers: [],
        settle: () => {
          deadline.cancel()
          this.open.delete(question)
          resolve({ asked: its.asked ?? 0, answers: its.answers.filter((answer) => answer !== null) })
        },
      }
      const deadline = startDeadline(this.patienceMs, () => its.settle())
      this.open.set(question, its)
      this.say({ sibling: 'ask', question })
    })
  }

  answerWith(answer: () => Promise<unknown>): void {
    this.answer = answer
  }

  private receive(message: SiblingDelivery): void {
    if (message.sibling === 'asks') return void this.reply(message)
    const its = this.open.get(message.question)
    if (!its) return
    if (message.sibling === 'asked') its.asked = message.count
    else its.answers.push(message.answer)
    if (its.answers.length === its.asked) its.settle()
  }

  /** One that is not ready to answer, or cannot, says so: nobody has to wait for it. */
  private async reply({ by, question }: { by: number; question: number }): Promise<void> {
    const answer = (await this.answer?.().catch(() => null)) ?? null
    this.say({ sibling: 'answer', to: by, question, answer })
  }

  private say(message: SiblingMessage): void {
    say(this.worker, message)
  }
}

/** The primary's part. */
export function carryBetween(worker: Worker, workers: () => readonly Worker[]): void {
  const deliver = (to: Worker, message: SiblingDelivery) => say(to, message)
  worker.on('message', (message: unknown) => {
    if (!isOfSiblings(message)) return
    const its = message as SiblingMessage
    const others = workers().filter((other) => other !== worker && other.isConnected())
    if (its.sibling === 'ask') {
      for (const other of others) deliver(other, { sibling: 'asks', by: worker.id, question: its.question })
      deliver(worker, { sibling: 'asked', question: its.question, count: others.length })
      return
    }
    const asker = others.find(({ id }) => id === its.to)
    if (asker) deliver(asker, { sibling: 'answered', question: its.question, answer: its.answer })
  })
}

function isOfSiblings(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'sibling' in message
}
