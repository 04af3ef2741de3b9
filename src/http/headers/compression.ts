import { promisify } from 'node:util'
import { type BrotliOptions, brotliCompress, constants, gzip } from 'node:zlib'
import type { onSendAsyncHookHandler } from 'fastify'
import { LRUCache } from 'lru-cache'
import Negotiator from 'negotiator'

interface Compressed {
  encoding: 'br' | 'gzip'
  body: Buffer
}

/** Below, a text fits into three packets. */
export const compressedFromBytes = 4_096

/**
 * Compresses texts for those who accept it, in the threads of zlib. Where many are being compressed already, that is what the process has
 * no time for: they stay as they are.
 */
export class Compression {
  private running = 0
  /** By Accept-Encoding, of which there are few */
  private readonly encodings = new LRUCache<string, Compressed['encoding'] | 'identity'>({ max: 100 })

  /** undefined where the text stays as it is. */
  compress(text: string | Buffer, acceptEncoding: string | undefined): Promise<Compressed | undefined> | undefined {
    const encoding = acceptEncoding === undefined ? 'identity' : this.encodingFor(acceptEncoding)
    if (encoding === 'identity' || this.running >= maxRunning) return undefined
    return this.run(encoding, text)
  }

  /** For whatever is sent as text and was not compressed by its maker. */
  readonly onSend: onSendAsyncHookHandler<unknown> = async (request, reply, payload) => {
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload
    if (Buffer.byteLength(payload) < compressedFromBytes || reply.hasHeader('content-encoding')) return payload
    if (!isText.test(String(reply.getHeader('content-type')))) return payload
    const compressed = await this.compress(payload, request.headers['accept-encoding'])
    if (!compressed) return payload
    reply.removeHeader('content-length').header('content-encoding', compressed.encoding)
    const etag = reply.getHeader('etag')
    // A strong one would say that these are the bytes of the plain text.
    if (typeof etag === 'string' && etag.startsWith('"')) reply.header('etag', `W/${etag}`)
    return compressed.body
  }

  private async run(encoding: Compressed['encoding'], text: string | Buffer): Promise<Compressed | undefined> {
    this.running += 1
    try {
      return { encoding, body: await compressors[encoding](text) }
    } catch {
      // Plain is an answer, too.
      return undefined
    } finally {
      this.running -= 1
    }
  }

  private encodingFor(acceptEncoding: string): Compressed['encoding'] | 'identity' {
    const known = this.encodings.get(acceptEncoding)
    if (known) return known
    const negotiator: EncodingNegotiator = new Negotiator({ headers: { 'accept-encoding': acceptEncoding } })
    const best = negotiator.encoding([...ours, 'identity'], { preferred: ours })
    const encoding = ours.find((its) => its === best) ?? 'identity'
    this.encodings.set(acceptEncoding, encoding)
    return encoding
  }
}

/** What the types of the package lack: a preference where the client has none */
interface EncodingNegotiator {
  encoding(available: string[], options: { preferred: string[] }): string | undefined
}

const brotli = promisify<string | Buffer, BrotliOptions, Buffer>(brotliCompress)
const compressors = {
  br: (text: string | Buffer) =>
    brotli(text, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 4,
        [constants.BROTLI_PARAM_LGWIN]: 18,
        [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
      },
    }),
  gzip: promisify<string | Buffer, Buffer>(gzip),
}

const ours: Compressed['encoding'][] = ['br', 'gzip']
const isText = /^(?:text\/|application\/(?:json|javascript|[\w.-]+\+json|xml)|image\/svg\+xml)/
const maxRunning = 64
