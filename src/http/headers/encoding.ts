import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { isDecodable } from '../../platform/percent-encoding.js'

/** A body that has been read but not parsed. The bytes are outside of the JavaScript heap, because many bodies may be queued. */
class UnparsedBody {
  constructor(readonly bytes: Buffer) {}
}

/** Accepts JSON bodies, in UTF-8 and uncompressed, without parsing them. */
export function bufferJsonBodies(server: FastifyInstance): void {
  server.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, ({ headers }, body, done) => {
    const problem = contentProblem(headers)
    if (problem) done(problem)
    else done(null, new UnparsedBody(body))
  })
}

/**
 * Adds a hook that parses the bodies read by bufferJsonBodies(). Add it after the hooks that may refuse a request, because parsing
 * half a megabyte takes some milliseconds. A body that is not UTF-8 is refused, because decoding would replace its invalid
 * characters, and the replacements would be stored.
 */
export function parseBufferedJsonBodies(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error')
  server.addHook('preValidation', (request, _, next) => {
    const { body } = request
    if (!(body instanceof UnparsedBody)) return next()
    if (!isUtf8(body.bytes)) return next(refusal(400, 'The body is not UTF-8'))
    void parse(request, body.bytes.toString(), (error, value) => {
      request.body = value
      next(error ?? undefined)
    })
  })
}

function contentProblem({ 'content-type': type, 'content-encoding': encoding }: IncomingHttpHeaders): Error | undefined {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(type ?? '')?.[1]?.toLowerCase()
  if (charset !== undefined && !charsets.has(charset)) return refusal(415, 'The charset of the body must be UTF-8')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return refusal(415, 'The body must not be compressed')
  return undefined
}

function refusal(statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode })
}

const charsets: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii'])

/**
 * Whether a URL is percent-encoded UTF-8. Decoding any other URL would replace characters. Node itself refuses URLs that are not
 * ASCII.
 */
export function isEncodedUrl(url: string): boolean {
  return !url.includes('%') || isDecodable(url)
}
