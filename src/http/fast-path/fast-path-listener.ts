import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { CompiledAnswer, CompiledQueries, QueryRequest } from 'cached-resolvers/compiled-queries'
import { LRUCache } from 'lru-cache'
import type { Context } from '../../graphql/context.js'
import type { Authenticator } from '../../platform/auth/authenticator.js'
import type { Viewer } from '../../platform/auth/viewer.js'
import type { DocumentRequest, Documents } from '../documents/documents.js'
import { type Compression, compressionThresholdBytes } from '../headers/compression.js'
import { type Hosts, isPlainHost } from '../headers/host.js'
import { hasFlags, noFlags } from '../headers/request-flags.js'
import { requestId } from '../headers/request-id.js'
import { pointsOfBytes } from '../limits/costs.js'
import type { CostLimits } from '../limits/limit-cost.js'
import { noWaitConnection } from '../overload/deadlines.js'
import type { LoadShedder } from '../overload/load-shedder.js'
import type { RequestInfo } from '../request-info.js'
import { type BatchedResponse, ResponseBatcher } from './response-batcher.js'

export interface FastPathListenerOptions {
  compiledQueries: Pick<CompiledQueries, 'run'>
  documents: Documents
  compression: Compression
  createContext: (request: RequestInfo) => Context
  authenticator: Authenticator
  loadShedder: LoadShedder
  hosts: Hosts
  clientOf: (request: IncomingMessage, viewer: Viewer) => string
  costLimits: CostLimits
  path: string
  /** Called for every response of the fast path, with its duration in seconds */
  observe: (response: BatchedResponse, seconds: number) => void
  /** Aborted when the server shuts down. Every later response closes its connection. */
  draining: AbortSignal
}

/**
 * The state of a request whose body the fast path has read. If the fast path cannot answer the request, the standard path
 * continues with this state.
 */
export interface BufferedRequest extends RequestInfo {
  /**
   * Estimated cost in points; 0 until it is known. If usage is limited, the fast path has charged this cost. It refunds the cost
   * when it passes the request to the standard path, which charges the request itself.
   */
  cost: number
  /** Start time on the monotonic clock, in milliseconds */
  startedAt: number
  body: Buffer
  /**
   * The context that the fast path has created, so that loaders of the standard path do not repeat loads, including failed ones.
   * undefined if no compiled query has run, or if the standard path must not use the context.
   */
  context: Context | undefined
}

/** Alternating names and values, as in rawHeaders */
type HeaderList = readonly string[]

interface Exchange {
  /** See FastPathListener.rememberHeaders */
  rememberedHeaders: HeaderList
  request: IncomingMessage
  response: ServerResponse
}

/**
 * Answers requests with compiled queries, and passes all other requests to the standard path (Fastify and Apollo). Responses of
 * the fast path have the headers that the standard path sent earlier for a request with equal Accept and Origin headers.
 */
export class FastPathListener {
  private readonly headersByKey = new LRUCache<string, HeaderList>({ max: 1_000 })
  private readonly bufferedRequests = new WeakMap<IncomingMessage, BufferedRequest>()
  private readonly batcher: ResponseBatcher

  constructor(private readonly options: FastPathListenerOptions) {
    this.batcher = new ResponseBatcher(options.observe)
  }

  /** Returns a listener that answers requests with compiled queries, and passes all other requests to `standardPath`. */
  wrap(standardPath: RequestListener): RequestListener {
    return (request, response) => {
      const rememberedHeaders = this.isCandidate(request) ? this.headersByKey.get(headersKey(request)) : undefined
      // The standard path verifies tokens that are not cached.
      const viewer = rememberedHeaders && this.options.authenticator.findCached(request.headers.authorization)
      if (!rememberedHeaders || !viewer || this.options.loadShedder.checkOverload()) return standardPath(request, response)
      const startedAt = performance.now()
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const buffered: BufferedRequest = {
          id: requestId(request.headers),
          flags: noFlags,
          client: this.options.clientOf(request, viewer),
          cost: 0,
          startedAt,
          viewer,
          body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
          // When the limit on requests in flight is reached, the fast path answers only requests that need no more than cached
          // values.
          connection: this.options.loadShedder.isFull ? noWaitConnection : request.socket,
          context: undefined,
        }
        this.respond(buffered, { rememberedHeaders, request, response }, () => {
          if (request.socket.destroyed) return
          // A context that never waits is cancelled as soon as it needs more than cached values.
          if (buffered.connection === noWaitConnection) buffered.context = undefined
          this.bufferedRequests.set(request, buffered)
          // The standard path charges the request itself.
          if (buffered.cost > 0) this.options.costLimits.budgets?.charge(buffered.client, -buffered.cost)
          standardPath(request, response)
        })
      })
    }
  }

  bufferedRequestOf(request: IncomingMessage): BufferedRequest | undefined {
    return this.bufferedRequests.get(request)
  }

  /**
   * Must be called with the headers of each successful response of the standard path. The headers other than `perResponseHeaders`
   * must depend on Accept and Origin only.
   */
  rememberHeaders(request: IncomingMessage, headers: Readonly<Record<string, unknown>>): void {
    if (!this.isCandidate(request)) return
    const reusable = Object.entries(headers).filter(([name, value]) => !perResponseHeaders.has(name) && value !== undefined)
    this.headersByKey.set(
      headersKey(request),
      reusable.flatMap(([name, value]) => [name, String(value)]),
    )
  }

  private isCandidate({ method, url, headers }: IncomingMessage): boolean {
    return (
      method === 'POST' &&
      url === this.options.path &&
      isJson(headers['content-type']) &&
      Number(headers['content-length']) <= maxBodyBytes &&
      headers['content-encoding'] === undefined &&
      !hasFlags(headers) &&
      isPlainHost(headers.host) &&
      this.options.hosts.allows(headers.host)
    )
  }

  private respond(buffered: BufferedRequest, exchange: Exchange, fallBack: () => void): void {
    try {
      const query = readQuery(buffered.body, this.options.documents)
      const answer = query && this.run(query, buffered)
      if (!answer) fallBack()
      else if (typeof answer.data === 'string') this.sendResponse(buffered, exchange, answer, answer.data)
      else this.countInFlight(answer.data).then((data) => this.sendResponse(buffered, exchange, answer, data), fallBack)
    } catch {
      // The standard path runs into the same error and reports it.
      fallBack()
    }
  }

  private run(query: QueryRequest, buffered: BufferedRequest): CompiledAnswer | undefined {
    return this.options.compiledQueries.run(
      query,
      (cost) => this.tryCharge(buffered, cost + pointsOfBytes(buffered.body.length)),
      () => this.createContext(buffered),
    )
  }

  /**
   * Charges the cost if that is possible without waiting, and returns true. Otherwise returns false: the standard path then
   * synchronizes the client's budget or refuses the request.
   */
  private tryCharge(buffered: BufferedRequest, cost: number): boolean {
    const { costs, budgets } = this.options.costLimits
    if (cost > costs.maximum) return false
    if (budgets && !budgets.tryConsumeLocally(buffered.client, cost)) return false
    buffered.cost = cost
    return true
  }

  private sendResponse(
    buffered: BufferedRequest,
    exchange: Exchange,
    { cacheControl, operationName }: CompiledAnswer,
    data: string,
  ): void {
    // Node keeps the request object until the next request of the connection, and the listeners of the request object refer to
    // `buffered`. Without this assignment, all values loaded for the request would stay in memory as long.
    buffered.context = undefined
    const headers = ['x-request-id', buffered.id, 'cache-control', cacheControl, ...exchange.rememberedHeaders]
    const text = `{"data":${data}}\n`
    const length = Buffer.byteLength(text)
    const encoding = length === text.length ? 'latin1' : 'utf8'
    const sendBody = (body: string | Buffer, bodyLength: number) => {
      headers.push('content-length', String(bodyLength))
      if (this.options.draining.aborted) headers.push('connection', 'close')
      const { id: requestId, viewer, startedAt, cost } = buffered
      this.batcher.enqueue({
        response: exchange.response,
        headers,
        body,
        encoding,
        operation: operationName,
        startedAt,
        requestId,
        viewer,
        cost,
      })
    }
    const acceptEncoding = exchange.request.headers['accept-encoding']
    // Compression is asynchronous, so it is omitted when the limit on requests in flight is reached.
    const isUncompressed = length < compressionThresholdBytes || this.options.loadShedder.isFull
    const compressing = isUncompressed ? undefined : this.options.compression.compress(text, acceptEncoding)
    if (!compressing) sendBody(text, length)
    else
      void this.countInFlight(compressing).then((compressed) => {
        if (compressed) headers.push('content-encoding', compressed.encoding)
        sendBody(compressed?.body ?? text, compressed?.body.length ?? length)
      })
  }

  private countInFlight<T>(work: Promise<T>): Promise<T> {
    const { loadShedder } = this.options
    const release = () => loadShedder.release()
    loadShedder.acquire()
    work.then(release, release)
    return work
  }

  private createContext(buffered: BufferedRequest): Context {
    buffered.context = this.options.createContext(buffered)
    return buffered.context
  }
}

/** Larger bodies are left to the standard path, because they are rare, and reading one takes longer than the fast path saves. */
const maxBodyBytes = 65_536

/** Headers that may differ between responses to requests with equal Accept and Origin headers */
const perResponseHeaders = new Set([
  'x-request-id',
  'cache-control',
  'content-encoding',
  'content-length',
  'date',
  'connection',
  'keep-alive',
  'transfer-encoding',
])

function headersKey({ headers: { accept, origin } }: IncomingMessage): string {
  return accept === undefined && origin === undefined ? '' : `${accept}\n${origin}`
}

function isJson(contentType: string | undefined): boolean {
  return contentType === 'application/json' || contentType === 'application/json; charset=utf-8'
}

/**
 * Reads a query whose text is in the body or in memory. Returns undefined for all other requests, which the standard path
 * handles. Throws if the JSON is invalid.
 */
function readQuery(body: Buffer, documents: Documents): QueryRequest | undefined {
  if (!isUtf8(body)) return undefined
  const text = body.toString()
  // Fastify refuses these property names, which could also be written with escapes.
  if (text.includes('__proto__') || text.includes('constructor') || text.includes('\\u')) return undefined
  const request: DocumentRequest & { variables?: unknown; operationName?: unknown } = JSON.parse(text)
  const { variables, operationName, extensions } = request
  if (operationName != null && typeof operationName !== 'string') return undefined
  if (variables != null && !isRecord(variables)) return undefined
  if (extensions != null && !isRecord(extensions)) return undefined
  const query = documents.findCached(request)
  return query === undefined ? undefined : { query, variables: variables ?? {}, operationName: operationName ?? undefined }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
