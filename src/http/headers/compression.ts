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

  /** Buffers are assets, which are sent repeatedly: GraphiQL has 9 MB of them. Each is compressed once for each encoding. */
  private readonly compressedBuffers = new WeakMap<Buffer, Partial<Record<Compressed['encoding'], Compressed>>>()

  /** Returns or resolves with undefined if the response should be sent uncompressed. */
  compress(text: string | Buffer, acceptEncoding: string | undefined): Promise<Compressed | undefined> | undefined {
    const encoding = acceptEncoding === undefined ? 'identity' : this.encodingFor(acceptEncoding)
    if (encoding === 'identity') return undefined
    const known = typeof text === 'string' ? undefined : this.compressedBuffers.get(text)?.[encoding]
    if (known) return Promise.resolve(known)
    return this.running >= maxRunning ? undefined : this.run(encoding, text)
  }

  /** Compresses text responses that are not compressed yet. */
  readonly onSend: onSendAsyncHookHandler<unknown> = async (request, reply, payload) => {
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload
    if (Buffer.byteLength(payload) < compressionThresholdBytes || reply.hasHeader('content-encoding')) return payload
    if (!isText.test(String(reply.getHeader('content-type')))) return payload
    const compressed = await this.compress(payload, request.headers['accept-encoding'])
    if (!compressed) return payload
    reply.removeHeader('content-length').header('content-encoding', compressed.encoding)
    const etag = reply.getHeader('etag')
    // A strong ETag identifies the exact bytes, which compression changes.
    if (typeof etag === 'string' && etag.startsWith('"')) reply.header('etag', `W/${etag}`)
    return compressed.body
  }

  private async run(encoding: Compressed['encoding'], text: string | Buffer): Promise<Compressed | undefined> {
    this.running += 1
    try {
      const compressed = { encoding, body: await compressors[encoding](text) }
      if (typeof text !== 'string')
        this.compressedBuffers.set(text, { ...this.compressedBuffers.get(text), [encoding]: compressed })
      return compressed
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
