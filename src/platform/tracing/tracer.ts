import { type Attributes, type Context, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import type { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'

export interface ChildSpan {
  name: string
  attributes?: Attributes
  /** CLIENT where another server is asked; INTERNAL when left out */
  kind?: SpanKind
}

/** Spans below the one of the request that is being worked on. Where that is not sampled, or there is none, work is just done. */
export class SpanTracer {
  constructor(
    private readonly tracer: Tracer,
    private readonly contexts: AsyncLocalStorageContextManager,
  ) {}

  /** The span that this code runs in; undefined where nobody records one. */
  current(): Span | undefined {
    const span = trace.getSpan(this.contexts.active())
    return span?.isRecording() ? span : undefined
  }

  /** To be ended by the caller; undefined outside of a request that is sampled. */
  start({ name, attributes = {}, kind = SpanKind.INTERNAL }: ChildSpan): Span | undefined {
    return this.current() && this.tracer.startSpan(name, { kind, attributes }, this.contexts.active())
  }

  /** Runs work in a span that ends with it. */
  async within<T>(child: ChildSpan, work: (span: Span | undefined) => Promise<T>): Promise<T> {
    const span = this.start(child)
    if (!span) return work(undefined)
    try {
      return await this.enter(span, () => work(span))
    } catch (error) {
      failed(span, error)
      throw error
    } finally {
      span.end()
    }
  }

  /** Whatever begins in `work` becomes a part of the span. */
  enter<T>(span: Span, work: () => T, context: Context = this.contexts.active()): T {
    return this.contexts.with(trace.setSpan(context, span), work)
  }
}

/** Says what kind of error it was, and not its text: that may hold what nobody wants in a trace. The log has it. */
export function failed(span: Span, error: unknown): void {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  span.setStatus({ code: SpanStatusCode.ERROR })
  span.setAttribute('error.type', code ?? (error instanceof Error ? error.name : 'unknown'))
}
