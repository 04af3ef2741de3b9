import type { IncomingMessage, ServerResponse } from 'node:http'
import { trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import type { CacheReader, CacheStore } from 'cached-resolvers'
import { logExportErrors } from './export-error-logger.js'
import { OperationSpans } from './operation-spans.js'
import { RequestSpans } from './request-spans.js'
import { createSampler, type SamplerName } from './sampler.js'
import { tracedReader } from './traced-reader.js'
import { StatementSpans } from './traced-statements.js'
import { tracedStore } from './traced-store.js'
import { SpanTracer } from './tracer.js'

export interface TracingOptions {
  /** Base URL of the collector; spans are sent to `/v1/traces` below it. */
  endpoint: string
  headers: Readonly<Record<string, string>>
  serviceName: string
  sampler: SamplerName
  /** Share of sampled traces, for samplers with a ratio */
  samplerRatio: number
  path: string
  requestIdOf: (headers: IncomingMessage['headers']) => string
  /** Calls back when a response has been sent or its connection was closed. */
  onResponseClosed: (response: ServerResponse, callback: () => void) => void
  log: (message: string) => void
}

/**
 * Traces requests and sends the spans to a collector by OTLP over HTTP. This module is only loaded if a collector is configured,
 * so that the process otherwise contains nothing of OpenTelemetry. It sets no globals, so one process can contain several
 * instances.
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
      spanProcessors: [new BatchSpanProcessor({ exporter: logExportErrors(exporter, log) })],
      spanLimits: { attributeValueLengthLimit: 4_096 },
    })
    const tracer = this.provider.getTracer('graphql-cached-shop')
    this.tracer = new SpanTracer(tracer, this.contexts)
    this.requests = new RequestSpans({ ...options, tracer, contexts: this.contexts })
    this.operations = new OperationSpans(this.tracer)
    this.statements = new StatementSpans(this.tracer)
  }

  /**
   * Returns a store whose commands have spans. A store in the memory of this process is not traced, because its reads are too
   * fast for a span.
   */
  traceStore(store: CacheStore): CacheStore {
    return store.backend === 'memory' ? store : tracedStore(store, this.tracer)
  }

  traceReads(reader: CacheReader) {
    return tracedReader(reader, this.tracer)
  }

  /** Returns the trace and span id for log lines, under OpenTelemetry's field names; empty outside a trace. */
  logFields(): object {
    const span = trace.getSpan(this.contexts.active())?.spanContext()
    return span ? { trace_id: span.traceId, span_id: span.spanId } : {}
  }

  /** Sends the remaining spans, within stopTimeoutMs. */
  async stop(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const timedOut = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, stopTimeoutMs)
    })
    await Promise.race([this.provider.shutdown().catch(() => undefined), timedOut])
    clearTimeout(timer)
    this.contexts.disable()
  }
}

const stopTimeoutMs = 2_000
