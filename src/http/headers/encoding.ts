import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { isDecodable } from '../../platform/percent-encoding.js'

/** What has been read and is not yet parsed: outside of the heap of JavaScript, since many may wait */
class JsonBody {
  constructor(readonly bytes: Buffer) {}
}

/** Reads bodies of JSON, in UTF-8 and uncompressed. */
export function readJsonBodies(server: FastifyInstance): void {
  server.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, ({ headers }, body, done) => {
    const fault = faultOf(headers)
    if (fault) done(fault)
    else done(null, new JsonBody(body))
  })
}

/**
 * Parses them, behind the hooks that were added before: half a megabyte takes some milliseconds. What is not UTF-8 is refused: read all the
 * same, its letters would be replaced, and stored so.
 */
export function parseJsonBodies(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error')
  server.addHook('preValidation', (request, _, next) => {
    const { body } = request
    if (!(body instanceof JsonBody)) return next()
    if (!isUtf8(body.bytes)) return next(refusal(400, 'The body is not UTF-8'))
    void parse(request, body.bytes.toString(), (error, value) => {
      request.body = value
      next(error ?? undefined)
    })
  })
}

function faultOf({ 'content-type': type, 'content-encoding': encoding }: IncomingHttpHeaders): Error | undefined {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(type ?? '')?.[1]?.toLowerCase()
  if (charset !== undefined && !charsets.has(charset)) return refusal(415, 'The body must be in UTF-8, and say so or nothing')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return refusal(415, 'The body must not be compressed')
  return undefined
}

function refusal(statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode })
}

const charsets: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii'])

/** Whether the parameters in it are percent-encoded UTF-8: of others, letters would be replaced. Node refuses what is not ASCII. */
export function isEncodedUrl(url: string): boolean {
  return !url.includes('%') || isDecodable(url)
}
