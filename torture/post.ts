import { type Agent, type IncomingHttpHeaders, request } from 'node:http'

interface Reply {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

const patienceMs = 10_000

/** Sends a GraphQL request once. Rejects where there is no answer, and says on which kind of connection. */
export function post(agent: Agent, port: number, body: string, others: Readonly<Record<string, string>> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...others }
    const options = { host: '127.0.0.1', port, method: 'POST', path: '/graphql', agent, headers, timeout: patienceMs }
    const sent = request(options, (response) => {
      response
        .setEncoding('utf8')
        .toArray()
        .then((chunks) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: chunks.join('') }), reject)
    })
    sent.on('timeout', () => sent.destroy(new Error('no answer')))
    // On a connection that was kept, the server may have ended it at that moment; on a new one, the process was not there.
    sent.on('error', (error) => reject(new Error(`${error.message} on a ${sent.reusedSocket ? 'kept' : 'new'} connection`)))
    sent.end(body)
  })
}
