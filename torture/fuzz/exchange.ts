import { connect } from 'node:net'
import { type HttpResponse, parseAnswers } from './answers.js'
import type { Attempt } from './attempt.js'

export type Outcome =
  | { state: 'answered'; answers: HttpResponse[]; rest: string }
  /** Neither all responses nor the end of the connection arrived in time. */
  | { state: 'hung'; received: string }
  | { state: 'unreachable'; cause: string }

/**
 * Sends the bytes unchanged. After an incomplete request it closes its side of the connection, so that the server does not wait
 * for more.
 */
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
    const read = (hasEnded: boolean) => {
      try {
        const { answers: parsed, rest } = parseAnswers(received, bodiless)
        if (hasEnded || (answers !== 'any' && parsed.length >= answers)) {
          settle({ state: 'answered', answers: parsed, rest: rest.toString('latin1') })
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
