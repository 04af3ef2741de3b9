import { createServer, type ServerResponse } from 'node:http'
import { address, announce } from './environment.js'

export interface Variables {
  id: string
  /** Only in the mutation */
  stock?: number
}

/** Returns the JSON answer to an operation, synchronously if possible. */
export type Answer = (operationName: string, variables: Variables) => string | Promise<string>

/** A minimal node:http server that answers POST requests. */
export function serve(answer: Answer): void {
  createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString()
    })
    request.on('end', () => {
      const { operationName, variables } = JSON.parse(body)
      const text = answer(operationName, variables)
      if (typeof text === 'string') send(response, text)
      else text.then((later) => send(response, later)).catch((error) => fail(response, error))
    })
  }).listen(address, announce)
}

function send(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

function fail(response: ServerResponse, error: unknown): void {
  console.error(error)
  response.writeHead(500).end()
}
