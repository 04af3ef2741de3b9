import { type Attributes, type Context, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import type { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'

export interface ChildSpan {
  name: string
  attributes?: Attributes
  /** CLIENT for a request to another server; INTERNAL by default */
  kind?: SpanKind
}

/** Creates child spans of the current request's span. Without a sampled request, work runs without a span. */
export class SpanTracer {
  constructor(
    private readonly tracer: Tracer,
    private readonly contexts: AsyncLocalStorageContextManager,
  ) {}

  /** Returns the active span; undefined if no span is recorded. */
  current(): Span | undefined {
    const span = trace.getSpan(this.contexts.active())
    return span?.isRecording() ? span : undefined
  }

  /** Starts a span that the caller must end. Returns undefined outside a sampled request. */
  start({ name, attributes = {}, kind = SpanKind.INTERNAL }: ChildSpan): Span | undefined {
    return this.current() && this.tracer.startSpan(name, { kind, attributes }, this.contexts.active())
  }

  /** Runs `work` in a new span, and ends the span when `work` settles. */
  async runInNewSpan<T>(child: ChildSpan, work: (span: Span | undefined) => Promise<T>): Promise<T> {
    const span = this.start(child)
    if (!span) return work(undefined)
    try {
      return await this.runInSpan(span, () => work(span))
    } catch (error) {
      recordError(span, error)
      throw error
    } finally {
      span.end()
    }
  }

  /** Runs `work` with `span` as the active span, so that spans started in `work` become children of `span`. */
  runInSpan<T>(span: Span, work: () => T, context: Context = this.contexts.active()): T {
    return this.contexts.with(trace.setSpan(context, span), work)
  }
}

/** Records the error's code or class but not its message, which may contain confidential data. The log has the message. */
export function recordError(span: Span, error: unknown): void {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  span.setStatus({ code: SpanStatusCode.ERROR })
  span.setAttribute('error.type', code ?? (error instanceof Error ? error.name : 'unknown'))
}
