import { isUtf8 } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { isDecodable } from '../percent-encoding.js'

/** What has been read and is not yet parsed */
class JsonText {
  constructor(readonly text: string) {}
}

/** Reads bodies of JSON. What is not UTF-8 is refused: read all the same, its letters would be replaced, and stored so. */
export function readJsonBodies(server: FastifyInstance): void {
  server.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, ({ headers }, body, done) => {
    const fault = faultOf(headers, body)
    if (fault) done(fault)
    else done(null, new JsonText(body.toString()))
  })
}

/** Parses them, behind the hooks that were added before: half a megabyte takes some milliseconds. */
export function parseJsonBodies(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error')
  server.addHook('preValidation', (request, _, next) => {
    const { body } = request
    if (!(body instanceof JsonText)) return next()
    void parse(request, body.text, (error, value) => {
      request.body = value
      next(error ?? undefined)
    })
  })
}

function faultOf({ 'content-type': type, 'content-encoding': encoding }: IncomingHttpHeaders, body: Buffer): Error | undefined {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(type ?? '')?.[1]?.toLowerCase()
  if (charset !== undefined && !charsets.has(charset)) return refusal(415, 'The body must be in UTF-8, and say so or nothing')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return refusal(415, 'The body must not be compressed')
  return isUtf8(body) ? undefined : refusal(400, 'The body is not UTF-8')
}

function refusal(statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode })
}

const charsets: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii'])

/** Whether the parameters in it are percent-encoded UTF-8: of others, letters would be replaced. Node refuses what is not ASCII. */
export function isEncodedUrl(url: string): boolean {
  return !url.includes('%') || isDecodable(url)
}
