import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import {
  type Context,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'

export interface RequestSpansOptions {
  tracer: Tracer
  contexts: AsyncLocalStorageContextManager
  /** Only requests for this path have a span. */
  path: string
  requestIdOf: (headers: IncomingMessage['headers']) => string
  /** Calls back when a response has been sent or its connection was closed. */
  onResponseClosed: (response: ServerResponse, callback: () => void) => void
}

/** A span for each sampled GraphQL request: a child of the client's span if the request has a `traceparent`. */
export class RequestSpans {
  private readonly traceIds = new WeakMap<IncomingMessage, string>()
  private readonly propagator = new W3CTraceContextPropagator()

  constructor(private readonly options: RequestSpansOptions) {}

  wrap(listener: RequestListener): RequestListener {
    const { contexts, onResponseClosed } = this.options
    return (request, response) => {
      const parent = this.parentContextOf(request)
      const span = this.isTraced(request) ? this.start(request, parent) : undefined
      if (!span?.isRecording()) return listener(request, response)
      const context = trace.setSpan(parent, span)
      this.assignRequestId(request, span)
      onResponseClosed(response, () => end(span, response))
      // Events that the HTTP parser emits on the request run outside any async context, so bind the events to the context of this
      // request.
      contexts.bind(context, request)
      contexts.with(context, () => listener(request, response))
    }
  }

  /** Returns the trace id of a request; undefined if the request is not sampled. */
  traceIdOf(request: IncomingMessage): string | undefined {
    return this.traceIds.get(request)
  }

  /** A GET without parameters is not traced, because it requests the page with the query editor. */
  private isTraced({ method, url = '' }: IncomingMessage): boolean {
    const { path } = this.options
    return (method === 'POST' && url === path) || (method !== 'OPTIONS' && url.startsWith(`${path}?`))
  }

  private parentContextOf({ headers }: IncomingMessage): Context {
    return headers.traceparent === undefined ? ROOT_CONTEXT : this.propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter)
  }

  private start({ method }: IncomingMessage, parent: Context): Span {
    const { tracer, path } = this.options
    const attributes = { 'http.request.method': method, 'http.route': path, 'url.path': path, 'url.scheme': 'http' }
    return tracer.startSpan(`${method} ${path}`, { kind: SpanKind.SERVER, attributes }, parent)
  }

  /** Sets the request id in the headers, from which later handlers read it. */
  private assignRequestId(request: IncomingMessage, span: Span): void {
    const id = this.options.requestIdOf(request.headers)
    request.headers['x-request-id'] = id
    span.setAttribute('http.response.header.x-request-id', [id])
    this.traceIds.set(request, span.spanContext().traceId)
  }
}

function end(span: Span, { statusCode, writableFinished }: ServerResponse): void {
  if (writableFinished) span.setAttribute('http.response.status_code', statusCode)
  const errorType = !writableFinished ? 'client_closed' : statusCode >= 500 ? String(statusCode) : undefined
  if (errorType !== undefined) span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', errorType)
  span.end()
}
