import { type Span, SpanStatusCode } from '@opentelemetry/api'
import type { CompiledQueries } from 'cached-resolvers/compiled-queries'
import { recordError, type SpanTracer } from './tracer.js'

/** Spans of GraphQL operations, by OpenTelemetry's semantic conventions. They contain neither the document nor its variables. */
export class OperationSpans {
  constructor(private readonly tracer: SpanTracer) {}

  /**
   * Returns a function that executes an operation on the standard path in a span. describe() sets the operation's type and name
   * later.
   */
  wrapExecution<Args extends unknown[], T>(execute: (...args: Args) => Promise<T>): (...args: Args) => Promise<T> {
    const child = { name: 'GraphQL Operation', attributes: { 'graphql.path': 'standard' } }
    return (...args) => this.tracer.runInNewSpan(child, () => execute(...args))
  }

  /** Returns the span of the current execution; undefined if no span is recorded. */
  current(): Span | undefined {
    return this.tracer.current()
  }

  describe(span: Span, type: string, name: string | undefined): void {
    span.setAttribute('graphql.operation.type', type)
    if (name === undefined) span.updateName(type)
    else span.updateName(`${type} ${shortened(name)}`).setAttribute('graphql.operation.name', shortened(name))
  }

  /** Marks the span as failed. `code` is the code of the first error in the response. */
  fail(span: Span, code: string): void {
    span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', code)
  }

  /**
   * Returns compiled queries that record a span for each query they answer. If a compiled query falls back to the standard path,
   * its span gets the attribute `graphql.fallback`, and the span of the standard path follows.
   */
  wrapCompiledQueries(compiled: Pick<CompiledQueries, 'run'>): Pick<CompiledQueries, 'run'> {
    return {
      run: (query, admit, createContext) => {
        const span = this.tracer.start({ name: 'GraphQL Operation', attributes: { 'graphql.path': 'compiled' } })
        if (!span) return compiled.run(query, admit, createContext)
        try {
          const answer = this.tracer.runInSpan(span, () => compiled.run(query, admit, createContext))
          // No compiled query has answered. The span is never ended, so it is not exported.
          if (!answer) return undefined
          this.describe(span, 'query', answer.operationName)
          void endWith(span, answer.data)
          return answer
        } catch (error) {
          endWithError(span, error)
          throw error
        }
      },
    }
  }
}

async function endWith(span: Span, data: string | Promise<string>): Promise<void> {
  try {
    await data
    span.end()
  } catch (error) {
    endWithError(span, error)
  }
}

function endWithError(span: Span, error: unknown): void {
  recordError(span.setAttribute('graphql.fallback', true), error)
  span.end()
}

/** Shortens a name, because names come from clients and may have any length. */
function shortened(name: string): string {
  return name.slice(0, 64)
}
