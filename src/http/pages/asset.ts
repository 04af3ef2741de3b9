import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isKnown } from '../headers/etag.js'

/** A body that stays the same as long as this process runs. */
export interface Asset {
  body: Buffer
  contentType: string
  etag: string
}

export function createAsset(text: string, contentType: string): Asset {
  const body = Buffer.from(text)
  return { body, contentType, etag: `"${createHash('sha256').update(body).digest('base64url')}"` }
}

/** One of the files in assets/ */
export function readAsset(name: string, contentType: string): Asset {
  return createAsset(readFileSync(new URL(`assets/${name}`, import.meta.url), 'utf8'), contentType)
}

/** Browsers keep it and ask each time whether it is still the same: 304 then. */
export function sendAsset(request: FastifyRequest, reply: FastifyReply, { body, contentType, etag }: Asset): FastifyReply {
  reply.header('etag', etag).header('cache-control', 'no-cache').header('x-content-type-options', 'nosniff')
  if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send()
  return reply.type(contentType).send(body)
}
