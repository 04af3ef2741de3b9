import { connect } from 'node:net'
import { type HttpAnswer, parseAnswers } from './answers.js'
import type { Attempt } from './attempt.js'

export type Outcome =
  | { state: 'answered'; answers: HttpAnswer[]; rest: string }
  /** Neither all answers nor the end of the connection came in time. */
  | { state: 'hung'; received: string }
  | { state: 'unreachable'; cause: string }

/** Sends the bytes as they are. What is no whole request is followed by the end of what is sent, so nobody has to wait for more. */
export function exchange(port: number, { bytes, answers, bodiless = false }: Attempt, deadlineMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    let received = Buffer.alloc(0)
    let isConnected = false
    const settle = (outcome: Outcome) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(outcome)
    }
    const timer = setTimeout(() => settle({ state: 'hung', received: received.toString('latin1', 0, 2_000) }), deadlineMs)
    const read = (isOver: boolean) => {
      try {
        const { answers: got, rest } = parseAnswers(received, bodiless)
        if (isOver || (answers !== 'any' && got.length >= answers)) {
          settle({ state: 'answered', answers: got, rest: rest.toString('latin1') })
        }
      } catch (error) {
        settle({ state: 'answered', answers: [], rest: `${(error as Error).message}\n${received.toString('latin1')}` })
      }
    }
    socket.on('connect', () => {
      isConnected = true
      if (answers === 'any') socket.end(bytes)
      else socket.write(bytes)
    })
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      read(false)
    })
    // A server that refuses in the middle of a request may reset the connection.
    socket.on('error', ({ message }) => (isConnected ? read(true) : settle({ state: 'unreachable', cause: message })))
    socket.on('end', () => read(true))
    socket.on('close', () => read(true))
  })
}
