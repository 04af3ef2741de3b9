import { createHash } from 'node:crypto'
import type { onSendHookHandler } from 'fastify'
import { unstored } from './cache-control.js'

/**
 * Names an answer that may be stored, and tells those who have it already (If-None-Match) that it is still the same. Weak, since it is that
 * of the text, however it is compressed.
 */
export const tagAnswer: onSendHookHandler<unknown> = (request, reply, payload, next) => {
  const isStored = reply.statusCode === 200 && reply.getHeader('cache-control') !== unstored && !reply.hasHeader('etag')
  if (!(request.method === 'GET' || request.method === 'HEAD') || !isStored || typeof payload !== 'string') {
    return next(null, payload)
  }
  const tag = createHash('sha256').update(payload).digest('base64url').slice(0, 27)
  reply.header('etag', `W/"${tag}"`)
  if (!names(request.headers['if-none-match'], tag)) return next(null, payload)
  reply.code(304).removeHeader('content-type')
  next(null, null)
}

function names(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const tags = ifNoneMatch.split(',').map((its) => its.trim())
  return tags.includes('*') || tags.some((its) => its === `W/"${tag}"` || its === `"${tag}"`)
}
