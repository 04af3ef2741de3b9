import { createHash } from 'node:crypto'
import type { onSendHookHandler } from 'fastify'
import { noStore } from './cache-control.js'

/**
 * Adds an ETag to responses that may be stored, and answers 304 if the client already has the response (If-None-Match). The ETag
 * is weak, because the compressed and the uncompressed response have the same ETag.
 */
export const addEtag: onSendHookHandler<unknown> = (request, reply, payload, next) => {
  const isStorable = reply.statusCode === 200 && reply.getHeader('cache-control') !== noStore && !reply.hasHeader('etag')
  if (!(request.method === 'GET' || request.method === 'HEAD') || !isStorable || typeof payload !== 'string') {
    return next(null, payload)
  }
  const etag = `W/"${createHash('sha256').update(payload).digest('base64url')}"`
  reply.header('etag', etag)
  if (!matchesEtag(request.headers['if-none-match'], etag)) return next(null, payload)
  reply.code(304).removeHeader('content-type')
  next(null, null)
}

/** Whether an If-None-Match header contains the ETag, by weak comparison as RFC 9110 requires. */
export function matchesEtag(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((tag) => opaqueTag(tag.trim()))
  return tags.includes(opaqueTag(etag)) || tags.includes('*')
}

function opaqueTag(tag: string): string {
  return tag.replace(/^W\//, '')
}
