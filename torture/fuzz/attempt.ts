/** The requests of one connection, valid or invalid */
export interface Attempt {
  kind: string
  bytes: Buffer
  /** Expected number of responses; `any`: not a complete request, so the server only has to close the connection */
  answers: number | 'any'
  /** Bodies of the first responses, if known */
  expected?: readonly string[]
  /** HEAD request: the response has no body */
  bodiless?: boolean
}

/** Text is encoded as UTF-8, in headers too. */
export interface HttpRequest {
  method?: string
  target?: string
  version?: string
  /** Sent in this order, duplicates included */
  headers?: readonly (readonly [name: string, value: string])[]
  body?: string | Buffer
  /** Keep the connection open for the next request */
  keep?: boolean
  /** null: no Host header */
  host?: string | null
}

/** Adds Host, Connection and Content-Length, unless the headers contain them. */
export function httpRequest({ method = 'POST', target = '/graphql', version = '1.1', ...rest }: HttpRequest): Buffer {
  const { headers = [], body, keep = false, host = 'localhost' } = rest
  const content = typeof body === 'string' ? Buffer.from(body) : body
  const names = new Set(headers.map(([name]) => name.toLowerCase()))
  const framed = names.has('content-length') || names.has('transfer-encoding')
  const all = [
    ...(host === null || names.has('host') ? [] : [['host', host] as const]),
    ...headers,
    ...(keep ? [] : [['connection', 'close'] as const]),
    ...(content && !framed ? [['content-length', String(content.length)] as const] : []),
  ]
  const head = [`${method} ${target} HTTP/${version}`, ...all.map(([name, value]) => `${name}: ${value}`)].join('\r\n')
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`), ...(content ? [content] : [])])
}

export const json = ['content-type', 'application/json'] as const
/** Required for GET: the CSRF protection refuses requests without it. */
export const preflight = ['apollo-require-preflight', 'yes'] as const
