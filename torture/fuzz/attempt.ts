/** One connection's worth of requests, good or bad */
export interface Attempt {
  kind: string
  bytes: Buffer
  /** How many answers have to come; `any` for what is no whole request: then the connection has to end. */
  answers: number | 'any'
  /** Bodies of the first answers, where they are known */
  expected?: readonly string[]
  /** Asked by HEAD */
  bodiless?: boolean
}

/** Text is sent as UTF-8, in a head as well. */
export interface HttpRequest {
  method?: string
  target?: string
  version?: string
  /** In this order, and as often as they are given */
  headers?: readonly (readonly [name: string, value: string])[]
  body?: string | Buffer
  /** Whether the connection is kept for the next one */
  keep?: boolean
  /** null for none at all */
  host?: string | null
}

/** With Host, Connection and Content-Length, unless the headers have them. */
export function httpRequest({ method = 'POST', target = '/graphql', version = '1.1', ...its }: HttpRequest): Buffer {
  const { headers = [], body, keep = false, host = 'localhost' } = its
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
/** Without it a GET is refused for what another site could have sent. */
export const preflight = ['apollo-require-preflight', 'yes'] as const
