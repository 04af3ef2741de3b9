import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { LRUCache } from 'lru-cache'
import type { Authenticator } from '../auth/authenticator.js'
import type { Viewer } from '../auth/viewer.js'
import type { Context } from '../graphql/context.js'
import type { Lane, QueryRequest } from '../lane/lane.js'
import { AnswersOfTurn } from './answers-of-turn.js'
import { isPlainHost } from './host.js'
import { requestId } from './request-id.js'
import { hasWishes, noWishes, type Wishes } from './wishes.js'

export interface LaneListenerOptions {
  lane: Lane
  createContext: (requestId: string, viewer: Viewer, wishes: Wishes) => Context
  authenticator: Authenticator
  path: string
  /** Told of every answer that the lane gave: the name of its operation, and how long it took */
  observe: (operation: string | undefined, seconds: number) => void
}

/** What was taken of a request before it turned out not to be for the lane: the ordinary way goes on with it. */
export interface Taken {
  id: string
  viewer: Viewer
  /** On the monotonic clock, in milliseconds */
  startedAt: number
  body: Buffer
  /** What was loaded, or failed, in the lane is not asked for again. */
  context: Context | undefined
}

/** Name, value, name, value */
type Head = readonly string[]

/**
 * Stands in front of the ordinary way (Fastify and Apollo), takes the requests that the lane can answer, and answers them with the headers
 * that the ordinary way has for such requests. All others go on as they are.
 */
export class LaneListener {
  private readonly heads = new LRUCache<string, Head>({ max: 1_000 })
  private readonly taken = new WeakMap<IncomingMessage, Taken>()
  private readonly answers: AnswersOfTurn
  private closing = false

  constructor(private readonly options: LaneListenerOptions) {
    this.answers = new AnswersOfTurn(options.observe)
  }

  inFrontOf(ordinary: RequestListener): RequestListener {
    return (request, response) => {
      const head = this.isCandidate(request) ? this.heads.get(headKey(request)) : undefined
      // A token that is not remembered is verified there.
      const viewer = head && this.options.authenticator.recall(request.headers.authorization)
      if (!head || !viewer) return ordinary(request, response)
      const startedAt = performance.now()
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const taken: Taken = {
          id: requestId(request.headers),
          startedAt,
          viewer,
          body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
          context: undefined,
        }
        this.answer(taken, head, response, () => {
          this.taken.set(request, taken)
          ordinary(request, response)
        })
      })
    }
  }

  takenOf(request: IncomingMessage): Taken | undefined {
    return this.taken.get(request)
  }

  /** To be told what the ordinary way answers a query with, where all went well. The headers must follow from Accept and Origin. */
  learn(request: IncomingMessage, headers: Readonly<Record<string, unknown>>): void {
    if (!this.isCandidate(request)) return
    const head = Object.entries(headers).filter(([name, value]) => !ownHeaders.has(name) && value !== undefined)
    this.heads.set(
      headKey(request),
      head.flatMap(([name, value]) => [name, String(value)]),
    )
  }

  /** From now on all go the ordinary way, which tells clients that the connection ends. */
  close(): void {
    this.closing = true
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
      !this.closing
    )
  }

  private answer(taken: Taken, head: Head, response: ServerResponse, goOn: () => void): void {
    let operation: string | undefined
    const send = (data: string) => {
      // The connection keeps the request until the next one comes, and with it all that was loaded for it.
      taken.context = undefined
      const text = `{"data":${data}}\n`
      const all = ['x-request-id', taken.id, ...head, 'content-length', String(Buffer.byteLength(text))]
      if (this.closing) all.push('connection', 'close')
      this.answers.add({ response, head: all, text, operation, startedAt: taken.startedAt })
    }
    try {
      const query = readQuery(taken.body)
      const data =
        query &&
        this.options.lane.run(query, (name) => {
          operation = name
          return this.contextOf(taken)
        })
      if (data === undefined) goOn()
      else if (typeof data === 'string') send(data)
      else data.then(send, goOn)
    } catch {
      // Whatever it was, the ordinary way meets it again, and says what there is to say.
      goOn()
    }
  }

  private contextOf(taken: Taken): Context {
    taken.context = this.options.createContext(taken.id, taken.viewer, noWishes)
    return taken.context
  }
}

/** More is rare, and takes longer than the lane saves. */
const maxBodyBytes = 65_536

/** Those that are of one answer only */
const ownHeaders = new Set(['x-request-id', 'content-length', 'date', 'connection', 'keep-alive', 'transfer-encoding'])

function headKey({ headers: { accept, origin } }: IncomingMessage): string {
  return accept === undefined && origin === undefined ? '' : `${accept}\n${origin}`
}

function isJson(contentType: string | undefined): boolean {
  return contentType === 'application/json' || contentType === 'application/json; charset=utf-8'
}

/** A query as text; undefined for anything else that GraphQL over HTTP knows. Throws where it is no JSON. */
function readQuery(body: Buffer): QueryRequest | undefined {
  const text = body.toString()
  // Names that Fastify refuses, in whatever spelling
  if (text.includes('__proto__') || text.includes('constructor') || text.includes('\\u')) return undefined
  const { query, variables, operationName, extensions } = JSON.parse(text)
  if (typeof query !== 'string' || (operationName != null && typeof operationName !== 'string')) return undefined
  if (variables != null && !isRecord(variables)) return undefined
  if (extensions != null && (!isRecord(extensions) || 'persistedQuery' in extensions)) return undefined
  return { query, variables: variables ?? {}, operationName: operationName ?? undefined }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
