import type { IncomingMessage, ServerResponse } from 'node:http'
import { trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Cache, CacheStore } from 'cached-resolvers'
import { OperationSpans } from './operation-spans.js'
import { RequestSpans } from './request-spans.js'
import { createSampler, type SamplerName } from './sampler.js'
import { toldExporter } from './told-exporter.js'
import { tracedReader } from './traced-reader.js'
import { StatementSpans } from './traced-statements.js'
import { tracedStore } from './traced-store.js'
import { SpanTracer } from './tracer.js'

export interface TracingOptions {
  /** Of the collector; spans go to `/v1/traces` below it. */
  endpoint: string
  headers: Readonly<Record<string, string>>
  serviceName: string
  sampler: SamplerName
  /** Of the traces, where the sampler takes a ratio */
  samplerRatio: number
  path: string
  requestIdOf: (headers: IncomingMessage['headers']) => string
  /** Calls back when a response was sent, or cut off with its connection. */
  onResponseClosed: (response: ServerResponse, callback: () => void) => void
  log: (message: string) => void
}

/**
 * Traces of requests, sent to a collector by OTLP over HTTP. This module is loaded only where there is a collector: without, nothing of
 * OpenTelemetry is in the process. Nothing global is set either, so several can be in one process.
 */
export class Tracing {
  readonly requests: RequestSpans
  readonly operations: OperationSpans
  readonly statements: StatementSpans
  private readonly contexts = new AsyncLocalStorageContextManager().enable()
  private readonly tracer: SpanTracer
  private readonly provider: TracerProvider

  constructor(options: TracingOptions) {
    const { endpoint, headers, serviceName, sampler, samplerRatio, log } = options
    const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces`, headers: { ...headers } })
    this.provider = new TracerProvider({
      resource: defaultResource()
        .merge(detectResources({ detectors: [envDetector] }))
        .merge(resourceFromAttributes({ 'service.name': serviceName })),
      sampler: createSampler(sampler, samplerRatio),
      spanProcessors: [new BatchSpanProcessor({ exporter: toldExporter(exporter, log) })],
      spanLimits: { attributeValueLengthLimit: 4_096 },
    })
    const tracer = this.provider.getTracer('graphql-cached-shop')
    this.tracer = new SpanTracer(tracer, this.contexts)
    this.requests = new RequestSpans({ ...options, tracer, contexts: this.contexts })
    this.operations = new OperationSpans(this.tracer)
    this.statements = new StatementSpans(this.tracer)
  }

  /** Memory of this process is not worth a span. */
  ofStore(store: CacheStore): CacheStore {
    return store.backend === 'memory' ? store : tracedStore(store, this.tracer)
  }

  ofReads(reader: Pick<Cache, 'readNear' | 'getOrFetchMany'>) {
    return tracedReader(reader, this.tracer)
  }

  /** For lines of the log, by the names that OpenTelemetry gives to them */
  logFields(): object {
    const span = trace.getSpan(this.contexts.active())?.spanContext()
    return span ? { trace_id: span.traceId, span_id: span.spanId } : {}
  }

  /** Sends what is left, for as long as a stop may take. */
  async stop(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, stopMs)
    })
    await Promise.race([this.provider.shutdown().catch(() => undefined), late])
    clearTimeout(timer)
    this.contexts.disable()
  }
}

const stopMs = 2_000
