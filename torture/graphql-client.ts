import { Agent, request } from 'node:http'
import type { ApiProcess } from './api-process.js'

// biome-ignore lint/suspicious/noExplicitAny: the shape follows from the document
export type Data = Record<string, any>

export type Answer =
  | { state: 'answered'; data: Data }
  /** The server answered with an error; `cause` has its code and message. */
  | { state: 'failed'; cause: string }
  /** No answer; `cause` is the code of the network error. */
  | { state: 'unreachable'; cause: string }

const timeoutMs = 15_000
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** Sends a query. Never rejects. A partial answer counts as failed. */
export async function ask({ port }: ApiProcess, query: string, variables?: Readonly<Record<string, unknown>>): Promise<Answer> {
  try {
    const { body } = await send(port, 'POST', '/graphql', JSON.stringify({ query, variables }))
    const { data, errors } = JSON.parse(body)
    if (errors) return { state: 'failed', cause: `${errors[0]?.extensions?.code}: ${errors[0]?.message}` }
    return { state: 'answered', data }
  } catch (error) {
    return { state: 'unreachable', cause: (error as NodeJS.ErrnoException).code ?? String(error) }
  }
}

export async function isHealthy({ port }: ApiProcess): Promise<boolean> {
  const answer = await send(port, 'GET', '/health').catch(() => null)
  return answer?.status === 200 && JSON.parse(answer.body).status === 'healthy'
}

function send(port: number, method: string, path: string, body?: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body ?? '') }
    const sent = request({ host: '127.0.0.1', port, method, path, agent, headers, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
      response.on('error', reject)
    })
    sent.on('timeout', () => sent.destroy(Object.assign(new Error('no answer'), { code: 'NO_ANSWER' })))
    sent.on('error', reject)
    sent.end(body)
  })
}
