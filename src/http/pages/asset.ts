import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { matchesEtag } from '../headers/etag.js'

/** A response body that does not change while this process runs */
export interface Asset {
  body: Buffer
  contentType: string
  etag: string
}

export function createAsset(text: string, contentType: string): Asset {
  const body = Buffer.from(text)
  return { body, contentType, etag: `"${createHash('sha256').update(body).digest('base64url')}"` }
}

/** Reads a file of assets/. */
export function readAsset(name: string, contentType: string): Asset {
  return createAsset(readFileSync(new URL(`assets/${name}`, import.meta.url), 'utf8'), contentType)
}

/**
 * Sends an asset, or 304 if the client has it already. Browsers store assets, and revalidate them with the ETag on each use. They replace
 * the stored headers by those of a 304, so it has the same Content-Type, on which the Content-Security-Policy depends.
 */
export function sendAsset(request: FastifyRequest, reply: FastifyReply, { body, contentType, etag }: Asset): FastifyReply {
  reply.header('etag', etag).header('cache-control', 'no-cache').header('x-content-type-options', 'nosniff').type(contentType)
  return matchesEtag(request.headers['if-none-match'], etag) ? reply.code(304).send() : reply.send(body)
}
