import { type Span, SpanStatusCode } from '@opentelemetry/api'
import type { Lane } from 'cached-resolvers/compiled-queries'
import { failed, type SpanTracer } from './tracer.js'

/** The span of a GraphQL operation, by the semantic conventions of OpenTelemetry. The document and its variables are not in it. */
export class OperationSpans {
  constructor(private readonly tracer: SpanTracer) {}

  /** The ordinary execution in a span. What the operation is turns out later. */
  around<Args extends unknown[], T>(execute: (...args: Args) => Promise<T>): (...args: Args) => Promise<T> {
    const child = { name: 'GraphQL Operation', attributes: { 'graphql.way': 'ordinary' } }
    return (...args) => this.tracer.within(child, () => execute(...args))
  }

  /** Inside of what goes on around; undefined where nobody records it. */
  current(): Span | undefined {
    return this.tracer.current()
  }

  describe(span: Span, type: string, name: string | undefined): void {
    span.setAttribute('graphql.operation.type', type)
    if (name === undefined) span.updateName(type)
    else span.updateName(`${type} ${shortened(name)}`).setAttribute('graphql.operation.name', shortened(name))
  }

  /** `code` is that of its first error. */
  fail(span: Span, code: string): void {
    span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', code)
  }

  /** The same lane. A span that says that the lane gave up comes before that of the ordinary execution. */
  ofLane(lane: Pick<Lane, 'run'>): Pick<Lane, 'run'> {
    return {
      run: (query, admits, createContext) => {
        const span = this.tracer.start({ name: 'GraphQL Operation', attributes: { 'graphql.way': 'lane' } })
        if (!span) return lane.run(query, admits, createContext)
        try {
          const answer = this.tracer.enter(span, () => lane.run(query, admits, createContext))
          // One that is not for the lane is left without an end, so nobody hears of it.
          if (!answer) return undefined
          this.describe(span, 'query', answer.operationName)
          void endWith(span, answer.data)
          return answer
        } catch (error) {
          giveUp(span, error)
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
    giveUp(span, error)
  }
}

function giveUp(span: Span, error: unknown): void {
  failed(span.setAttribute('graphql.lane', 'gave up'), error)
  span.end()
}

/** Names come from clients. */
function shortened(name: string): string {
  return name.slice(0, 64)
}
