import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Lane, LaneAnswer, QueryRequest } from 'cached-resolvers/compiled-queries'
import { LRUCache } from 'lru-cache'
import type { Context } from '../../graphql/context.js'
import type { Authenticator } from '../../platform/auth/authenticator.js'
import type { Viewer } from '../../platform/auth/viewer.js'
import type { Asking } from '../asking.js'
import type { DocumentRequest, Documents } from '../documents/documents.js'
import { type Compression, compressedFromBytes } from '../headers/compression.js'
import { type Hosts, isPlainHost } from '../headers/host.js'
import { requestId } from '../headers/request-id.js'
import { hasWishes, noWishes } from '../headers/wishes.js'
import { pointsOfBytes } from '../limits/costs.js'
import type { CostLimits } from '../limits/limit-cost.js'
import { inHaste } from '../overload/deadlines.js'
import type { Load } from '../overload/load.js'
import { type Answer, AnswersOfTurn } from './answers-of-turn.js'

export interface LaneListenerOptions {
  lane: Pick<Lane, 'run'>
  documents: Documents
  compression: Compression
  createContext: (asking: Asking) => Context
  authenticator: Authenticator
  load: Load
  hosts: Hosts
  clientOf: (request: IncomingMessage, viewer: Viewer) => string
  costLimits: CostLimits
  path: string
  /** Told of every answer that the lane gave, and how long it took */
  observe: (answer: Answer, seconds: number) => void
  /** Once aborted, each answer ends its connection. */
  leaving: AbortSignal
}

/** What was taken of a request before it turned out not to be for the lane: the ordinary way goes on with it. */
export interface Taken extends Asking {
  /** In points, as it was reckoned, and charged where there are budgets; 0 until then */
  cost: number
  /** On the monotonic clock, in milliseconds */
  startedAt: number
  body: Buffer
  /** What was loaded, or failed, in the lane is not asked for again. */
  context: Context | undefined
}

/** Name, value, name, value */
type Head = readonly string[]

interface Exchange {
  head: Head
  request: IncomingMessage
  response: ServerResponse
}

/**
 * Stands in front of the ordinary way (Fastify and Apollo), takes the requests that the lane can answer, and answers them with the headers
 * that the ordinary way has for such requests. All others go on as they are.
 */
export class LaneListener {
  private readonly heads = new LRUCache<string, Head>({ max: 1_000 })
  private readonly taken = new WeakMap<IncomingMessage, Taken>()
  private readonly answers: AnswersOfTurn

  constructor(private readonly options: LaneListenerOptions) {
    this.answers = new AnswersOfTurn(options.observe)
  }

  inFrontOf(ordinary: RequestListener): RequestListener {
    return (request, response) => {
      const head = this.isCandidate(request) ? this.heads.get(headKey(request)) : undefined
      // A token that is not remembered is verified there.
      const viewer = head && this.options.authenticator.recall(request.headers.authorization)
      if (!head || !viewer || this.options.load.isLate) return ordinary(request, response)
      const startedAt = performance.now()
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const taken: Taken = {
          id: requestId(request.headers),
          wishes: noWishes,
          client: this.options.clientOf(request, viewer),
          cost: 0,
          startedAt,
          viewer,
          body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
          // Where there is no room for more that wait, what is at hand is answered all the same.
          connection: this.options.load.isFull ? inHaste : request.socket,
          context: undefined,
        }
        this.answer(taken, { head, request, response }, () => {
          if (request.socket.destroyed) return
          if (taken.connection === inHaste) taken.context = undefined
          this.taken.set(request, taken)
          // The ordinary way charges it anew.
          if (taken.cost > 0) this.options.costLimits.budgets?.charge(taken.client, -taken.cost)
          ordinary(request, response)
        })
      })
    }
  }

  takenOf(request: IncomingMessage): Taken | undefined {
    return this.taken.get(request)
  }

  /** To be told what the ordinary way answers a query with, where all went well. The headers must follow from Accept and Origin, but for its own. */
  learn(request: IncomingMessage, headers: Readonly<Record<string, unknown>>): void {
    if (!this.isCandidate(request)) return
    const head = Object.entries(headers).filter(([name, value]) => !ownHeaders.has(name) && value !== undefined)
    this.heads.set(
      headKey(request),
      head.flatMap(([name, value]) => [name, String(value)]),
    )
  }

  private isCandidate({ method, url, headers }: IncomingMessage): boolean {
    return (
      method === 'POST' &&
      url === this.options.path &&
      isJson(headers['content-type']) &&
      Number(headers['content-length']) <= maxBodyBytes &&
      headers['content-encoding'] === undefined &&
      !hasWishes(headers) &&
      isPlainHost(headers.host) &&
      this.options.hosts.allows(headers.host)
    )
  }

  private answer(taken: Taken, exchange: Exchange, goOn: () => void): void {
    try {
      const query = readQuery(taken.body, this.options.documents)
      const answer = query && this.run(query, taken)
      if (!answer) goOn()
      else if (typeof answer.data === 'string') this.send(taken, exchange, answer, answer.data)
      else this.whileInFlight(answer.data).then((data) => this.send(taken, exchange, answer, data), goOn)
    } catch {
      // Whatever it was, the ordinary way meets it again, and says what there is to say.
      goOn()
    }
  }

  private run(query: QueryRequest, taken: Taken): LaneAnswer | undefined {
    return this.options.lane.run(
      query,
      (cost) => this.admits(taken, cost + pointsOfBytes(taken.body.length)),
      () => this.contextOf(taken),
    )
  }

  /** Without waiting; whoever is not admitted at once is told by the ordinary way, or admitted there. */
  private admits(taken: Taken, cost: number): boolean {
    const { costs, budgets } = this.options.costLimits
    if (cost > costs.maximum) return false
    if (budgets && !budgets.takeAtOnce(taken.client, cost)) return false
    taken.cost = cost
    return true
  }

  private send(taken: Taken, exchange: Exchange, { cacheControl, operationName }: LaneAnswer, data: string): void {
    // The connection keeps the request until the next one comes, and with it all that was loaded for it.
    taken.context = undefined
    const head = ['x-request-id', taken.id, 'cache-control', cacheControl, ...exchange.head]
    const text = `{"data":${data}}\n`
    const length = Buffer.byteLength(text)
    const sendBody = (body: string | Buffer, bodyLength: number) => {
      head.push('content-length', String(bodyLength))
      if (this.options.leaving.aborted) head.push('connection', 'close')
      const { id: requestId, viewer, startedAt, cost } = taken
      this.answers.add({ response: exchange.response, head, body, operation: operationName, startedAt, requestId, viewer, cost })
    }
    const acceptEncoding = exchange.request.headers['accept-encoding']
    // Where many wait already, nobody is made to wait for that.
    const isPlain = length < compressedFromBytes || this.options.load.isFull
    const compressing = isPlain ? undefined : this.options.compression.compress(text, acceptEncoding)
    if (!compressing) sendBody(text, length)
    else
      void this.whileInFlight(compressing).then((compressed) => {
        if (compressed) head.push('content-encoding', compressed.encoding)
        sendBody(compressed?.body ?? text, compressed?.body.length ?? length)
      })
  }

  private whileInFlight<T>(work: Promise<T>): Promise<T> {
    const { load } = this.options
    const leave = () => load.leave()
    load.enter()
    work.then(leave, leave)
    return work
  }

  private contextOf(taken: Taken): Context {
    taken.context = this.options.createContext(taken)
    return taken.context
  }
}

/** More is rare, and takes longer than the lane saves. */
const maxBodyBytes = 65_536

/** Those that are of one answer or document only */
const ownHeaders = new Set([
  ...['x-request-id', 'cache-control', 'content-encoding', 'content-length'],
  ...['date', 'connection', 'keep-alive', 'transfer-encoding'],
])

function headKey({ headers: { accept, origin } }: IncomingMessage): string {
  return accept === undefined && origin === undefined ? '' : `${accept}\n${origin}`
}

function isJson(contentType: string | undefined): boolean {
  return contentType === 'application/json' || contentType === 'application/json; charset=utf-8'
}

/** A query whose text is there, or at hand; undefined for anything else, for others to read or refuse. Throws where it is no JSON. */
function readQuery(body: Buffer, documents: Documents): QueryRequest | undefined {
  if (!isUtf8(body)) return undefined
  const text = body.toString()
  // Names that Fastify refuses, in whatever spelling
  if (text.includes('__proto__') || text.includes('constructor') || text.includes('\\u')) return undefined
  const asked: DocumentRequest & { variables?: unknown; operationName?: unknown } = JSON.parse(text)
  const { variables, operationName, extensions } = asked
  if (operationName != null && typeof operationName !== 'string') return undefined
  if (variables != null && !isRecord(variables)) return undefined
  if (extensions != null && !isRecord(extensions)) return undefined
  const query = documents.atHand(asked)
  return query === undefined ? undefined : { query, variables: variables ?? {}, operationName: operationName ?? undefined }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
