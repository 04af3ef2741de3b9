import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'

export interface HttpResponse {
  status: number
  headers: ReadonlyMap<string, string>
  /** Decompressed */
  body: string
}

export interface Parsed {
  answers: HttpResponse[]
  /** Bytes after the last complete response */
  rest: Buffer
}

/** Parses the complete responses at the start of the received bytes. Throws if they are not HTTP. */
export function parseAnswers(received: Buffer, bodiless: boolean): Parsed {
  const answers: HttpResponse[] = []
  let rest = received
  for (;;) {
    const next = parseAnswer(rest, bodiless)
    if (!next) return { answers, rest }
    if (next.answer) answers.push(next.answer)
    rest = next.rest
  }
}

function parseAnswer(bytes: Buffer, bodiless: boolean): { answer: HttpResponse | null; rest: Buffer } | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return null
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1] ?? Number.NaN)
  if (Number.isNaN(status)) throw new Error(`Not an HTTP response: ${first.slice(0, 200)}`)
  const headers = new Map(lines.map(toHeader))
  const content = bytes.subarray(end + 4)
  // 100 and 103: the final response follows. After 101 none does.
  if (status < 200 && status !== 101) return { answer: null, rest: content }
  const framed =
    bodiless || status === 101 || status === 204 || status === 304 ? withoutBody(content) : readBody(headers, content)
  return framed && { answer: { status, headers, body: decompress(headers, framed.body) }, rest: framed.rest }
}

function toHeader(line: string): [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
}

interface Framed {
  body: Buffer
  rest: Buffer
}

function withoutBody(rest: Buffer): Framed {
  return { body: Buffer.alloc(0), rest }
}

/** null: the body is incomplete */
function readBody(headers: ReadonlyMap<string, string>, content: Buffer): Framed | null {
  // An event stream has no end.
  if (headers.get('content-type')?.startsWith('text/event-stream')) return withoutBody(Buffer.alloc(0))
  if (headers.get('transfer-encoding') === 'chunked') return readChunks(content)
  const length = Number(headers.get('content-length') ?? 0)
  return content.length < length ? null : { body: content.subarray(0, length), rest: content.subarray(length) }
}

function readChunks(content: Buffer): Framed | null {
  const chunks: Buffer[] = []
  for (let at = 0; ; ) {
    const end = content.indexOf('\r\n', at)
    if (end < 0) return null
    const size = Number.parseInt(content.toString('latin1', at, end), 16)
    if (Number.isNaN(size)) throw new Error('Invalid chunk size')
    const next = end + 2 + size + 2
    if (content.length < next) return null
    chunks.push(content.subarray(end + 2, end + 2 + size))
    if (size === 0) return { body: Buffer.concat(chunks), rest: content.subarray(next) }
    at = next
  }
}

function decompress(headers: ReadonlyMap<string, string>, body: Buffer): string {
  if (body.length === 0) return ''
  const decoders: Partial<Record<string, (body: Buffer) => Buffer>> = {
    gzip: gunzipSync,
    br: brotliDecompressSync,
    deflate: inflateSync,
  }
  return (decoders[headers.get('content-encoding') ?? '']?.(body) ?? body).toString()
}
