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
  const etag = `W/"${createHash('sha256').update(payload).digest('base64url')}"`
  reply.header('etag', etag)
  if (!isKnown(request.headers['if-none-match'], etag)) return next(null, payload)
  reply.code(304).removeHeader('content-type')
  next(null, null)
}

/** Whether it is the tag of an answer that the client has: weak comparison, as If-None-Match wants it. */
export function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((tag) => opaque(tag.trim()))
  return tags.includes(opaque(etag)) || tags.includes('*')
}

function opaque(tag: string): string {
  return tag.replace(/^W\//, '')
}
