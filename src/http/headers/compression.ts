import { promisify } from 'node:util'
import { type BrotliOptions, brotliCompress, constants, gzip } from 'node:zlib'
import type { onSendAsyncHookHandler } from 'fastify'
import { LRUCache } from 'lru-cache'
import Negotiator from 'negotiator'

interface Compressed {
  encoding: 'br' | 'gzip'
  body: Buffer
}

/** Smaller responses are not compressed, because they fit into three packets. */
export const compressionThresholdBytes = 4_096

/**
 * Compresses responses in zlib's threads, for clients that accept compression. While many compressions are running, the CPU is
 * the bottleneck, so further responses are sent uncompressed.
 */
export class Compression {
  private running = 0
  /** Encodings by Accept-Encoding header. Clients send few different values of this header. */
  private readonly encodings = new LRUCache<string, Compressed['encoding'] | 'identity'>({ max: 100 })

  private readonly compressed = new WeakMap<Buffer, Map<string, Compressed>>()

  /** Returns or resolves with undefined if the response should be sent uncompressed. */
  compress(text: string | Buffer, acceptEncoding: string | undefined): Promise<Compressed | undefined> | undefined {
    const encoding = acceptEncoding === undefined ? 'identity' : this.encodingFor(acceptEncoding)
    if (encoding === 'identity' || this.running >= maxRunning) return undefined
    return this.run(encoding, text)
  }

  /** Compresses text responses that are not compressed yet. */
  readonly onSend: onSendAsyncHookHandler<unknown> = async (request, reply, payload) => {
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload
    if (Buffer.byteLength(payload) < compressionThresholdBytes || reply.hasHeader('content-encoding')) return payload
    if (!isText.test(String(reply.getHeader('content-type')))) return payload
    const accepted = request.headers['accept-encoding']
    const compressed = await (typeof payload === 'string'
      ? this.compress(payload, accepted)
      : this.compressOnce(payload, accepted))
    if (!compressed) return payload
    reply.removeHeader('content-length').header('content-encoding', compressed.encoding)
    const etag = reply.getHeader('etag')
    // A strong ETag identifies the exact bytes, which compression changes.
    if (typeof etag === 'string' && etag.startsWith('"')) reply.header('etag', `W/${etag}`)
    return compressed.body
  }

  /** Compresses a buffer once for each encoding: assets are sent repeatedly, and GraphiQL has 9 MB of them. */
  private async compressOnce(buffer: Buffer, acceptEncoding: string | undefined): Promise<Compressed | undefined> {
    if (acceptEncoding === undefined) return undefined
    const byEncoding = this.compressed.get(buffer) ?? new Map<string, Compressed>()
    const existing = byEncoding.get(this.encodingFor(acceptEncoding))
    if (existing) return existing
    const compressed = await this.compress(buffer, acceptEncoding)
    if (compressed) this.compressed.set(buffer, byEncoding.set(compressed.encoding, compressed))
    return compressed
  }

  private async run(encoding: Compressed['encoding'], text: string | Buffer): Promise<Compressed | undefined> {
    this.running += 1
    try {
      return { encoding, body: await compressors[encoding](text) }
    } catch {
      // The uncompressed response is valid as well.
      return undefined
    } finally {
      this.running -= 1
    }
  }

  private encodingFor(acceptEncoding: string): Compressed['encoding'] | 'identity' {
    const existing = this.encodings.get(acceptEncoding)
    if (existing) return existing
    const negotiator: EncodingNegotiator = new Negotiator({ headers: { 'accept-encoding': acceptEncoding } })
    const best = negotiator.encoding([...supported, 'identity'], { preferred: supported })
    const encoding = supported.find((encoding) => encoding === best) ?? 'identity'
    this.encodings.set(acceptEncoding, encoding)
    return encoding
  }
}

/** The package's types lack `preferred`: the order of encodings for clients that have no preference. */
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

const supported: Compressed['encoding'][] = ['br', 'gzip']
const isText = /^(?:text\/|application\/(?:json|javascript|[\w.-]+\+json|xml)|image\/svg\+xml)/
const maxRunning = 64
