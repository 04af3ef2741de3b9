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
  /** Other requests have no span. */
  path: string
  requestIdOf: (headers: IncomingMessage['headers']) => string
  /** Calls back when a response was sent, or cut off with its connection. */
  onResponseClosed: (response: ServerResponse, callback: () => void) => void
}

/** A span for each GraphQL request that is sampled: the child of the caller's, where that sends a `traceparent`. */
export class RequestSpans {
  private readonly traceIds = new WeakMap<IncomingMessage, string>()
  private readonly propagator = new W3CTraceContextPropagator()

  constructor(private readonly options: RequestSpansOptions) {}

  inFrontOf(listener: RequestListener): RequestListener {
    const { contexts, onResponseClosed } = this.options
    return (request, response) => {
      const caller = this.callerOf(request)
      const span = this.isTraced(request) ? this.start(request, caller) : undefined
      if (!span?.isRecording()) return listener(request, response)
      const context = trace.setSpan(caller, span)
      this.identify(request, span)
      onResponseClosed(response, () => end(span, response))
      // What the parser tells the request of happens outside of everything.
      contexts.bind(context, request)
      contexts.with(context, () => listener(request, response))
    }
  }

  /** undefined for a request that is not sampled */
  traceIdOf(request: IncomingMessage): string | undefined {
    return this.traceIds.get(request)
  }

  /** A GET without parameters is for the page. */
  private isTraced({ method, url = '' }: IncomingMessage): boolean {
    const { path } = this.options
    return (method === 'POST' && url === path) || (method !== 'OPTIONS' && url.startsWith(`${path}?`))
  }

  private callerOf({ headers }: IncomingMessage): Context {
    return headers.traceparent === undefined ? ROOT_CONTEXT : this.propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter)
  }

  private start({ method }: IncomingMessage, caller: Context): Span {
    const { tracer, path } = this.options
    const attributes = { 'http.request.method': method, 'http.route': path, 'url.path': path, 'url.scheme': 'http' }
    return tracer.startSpan(`${method} ${path}`, { kind: SpanKind.SERVER, attributes }, caller)
  }

  /** Whoever comes next takes the request id from the headers. */
  private identify(request: IncomingMessage, span: Span): void {
    const id = this.options.requestIdOf(request.headers)
    request.headers['x-request-id'] = id
    span.setAttribute('http.response.header.x-request-id', [id])
    this.traceIds.set(request, span.spanContext().traceId)
  }
}

function end(span: Span, { statusCode, writableFinished }: ServerResponse): void {
  if (writableFinished) span.setAttribute('http.response.status_code', statusCode)
  const fault = !writableFinished ? 'client_closed' : statusCode >= 500 ? String(statusCode) : undefined
  if (fault !== undefined) span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', fault)
  span.end()
}
