import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'

export interface SendOptions {
  method?: 'GET' | 'HEAD' | 'POST' | 'OPTIONS'
  path?: string
  headers?: OutgoingHttpHeaders
  /** Sent as JSON */
  body?: unknown
}

export interface ReceivedResponse {
  status: number | undefined
  headers: IncomingHttpHeaders
  /** The raw body */
  bytes: Buffer
  /** The decompressed body */
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: the shape follows from what was sent
  json: any
}

/**
 * Sends one request on a new connection, with only the given headers. fetch() adds headers, decompresses, and does not support
 * If-None-Match.
 */
export function send(
  origin: string,
  { method = 'POST', path = '/graphql', headers = {}, body }: SendOptions,
): Promise<ReceivedResponse> {
  const type = method === 'POST' ? { 'content-type': 'application/json' } : {}
  return new Promise((resolve, reject) => {
    const sent = request(`${origin}${path}`, { method, agent: false, headers: { ...type, ...headers } }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => {
        const bytes = Buffer.concat(chunks)
        const text = decode(bytes, response.headers['content-encoding'])
        const isJson = text.startsWith('{')
        resolve({
          status: response.statusCode,
          headers: response.headers,
          bytes,
          text,
          json: isJson ? JSON.parse(text) : undefined,
        })
      })
    })
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** Header that Apollo requires for requests that browsers send without a preflight */
export const preflighted = { 'apollo-require-preflight': 'true' }

export function get(
  origin: string,
  parameters: Record<string, string>,
  headers: OutgoingHttpHeaders = {},
): Promise<ReceivedResponse> {
  return send(origin, {
    method: 'GET',
    path: `/graphql?${new URLSearchParams(parameters)}`,
    headers: { ...preflighted, ...headers },
  })
}

function decode(bytes: Buffer, encoding: string | undefined): string {
  if (encoding === 'br') return brotliDecompressSync(bytes).toString()
  return (encoding === 'gzip' ? gunzipSync(bytes) : bytes).toString()
}
