import { type Agent, type IncomingHttpHeaders, request } from 'node:http'

interface Reply {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

const timeoutMs = 10_000

/**
 * Sends a GraphQL request once. If there is no answer, rejects with an error that names the kind of connection (new or kept-
 * alive).
 */
export function post(
  agent: Agent,
  port: number,
  body: string,
  extraHeaders: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...extraHeaders }
    const options = { host: '127.0.0.1', port, method: 'POST', path: '/graphql', agent, headers, timeout: timeoutMs }
    const sent = request(options, (response) => {
      response
        .setEncoding('utf8')
        .toArray()
        .then((chunks) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: chunks.join('') }), reject)
    })
    sent.on('timeout', () => sent.destroy(new Error('no answer')))
    // A kept connection may have been closed by the server at that moment; on a new connection the process was not reachable.
    sent.on('error', (error) => reject(new Error(`${error.message} on a ${sent.reusedSocket ? 'kept' : 'new'} connection`)))
    sent.end(body)
  })
}
