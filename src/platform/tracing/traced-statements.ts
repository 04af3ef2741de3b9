import { type Span, SpanKind } from '@opentelemetry/api'
import { recordError, type SpanTracer } from './tracer.js'

/**
 * Records a span for each SQL statement of a request, with the text of the statement but never its values. The span includes the
 * wait for a connection.
 */
export class StatementSpans {
  private readonly spans = new WeakMap<object, Span>()

  constructor(private readonly tracer: SpanTracer) {}

  onStart(statement: object): void {
    const span = this.tracer.start({ name: 'SQL', kind: SpanKind.CLIENT, attributes: { 'db.system.name': 'postgresql' } })
    if (span) this.spans.set(statement, span)
  }

  onEnd(_seconds: number, statement: object, text: string | undefined, error: unknown): void {
    const span = this.spans.get(statement)
    if (!span) return
    if (text !== undefined) describe(span, text)
    if (error !== undefined) recordError(span, error)
    span.end()
  }
}

function describe(span: Span, text: string): void {
  const flat = text.replace(/\s+/g, ' ').trim()
  const operation = (/^\w+/.exec(flat)?.[0] ?? 'SQL').toUpperCase()
  span.updateName(operation).setAttributes({ 'db.operation.name': operation, 'db.query.text': flat })
}
