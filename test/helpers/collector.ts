import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface CollectedSpan {
  name: string
  traceId: string
  spanId: string
  parentSpanId: string | undefined
  /** 2 is SERVER, 3 is CLIENT */
  kind: number
  attributes: Record<string, unknown>
  /** 2 is ERROR */
  status: number
  startedAt: bigint
  endedAt: bigint
}

/** An OpenTelemetry collector: receives spans by OTLP over HTTP as JSON and stores them. */
export async function startCollector() {
  const spans: CollectedSpan[] = []
  const requests: { path: string | undefined; headers: IncomingHttpHeaders; body: string }[] = []
  const server = createServer(async (request, response) => {
    const body = await text(request)
    requests.push({ path: request.url, headers: request.headers, body })
    spans.push(...readSpans(JSON.parse(body)))
    response.setHeader('content-type', 'application/json').end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requests,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: raw OTLP
function readSpans({ resourceSpans }: any): CollectedSpan[] {
  // biome-ignore lint/suspicious/noExplicitAny: as above
  return resourceSpans.flatMap(({ resource, scopeSpans }: any) =>
    // biome-ignore lint/suspicious/noExplicitAny: as above
    scopeSpans.flatMap(({ spans }: any) => spans.map((span: any) => readSpan(span, readAttributes(resource.attributes)))),
  )
}

// biome-ignore lint/suspicious/noExplicitAny: as above
function readSpan(span: any, resource: Record<string, unknown>): CollectedSpan {
  const { name, traceId, spanId, parentSpanId, kind, attributes, status, startTimeUnixNano, endTimeUnixNano } = span
  return {
    ...{ name, traceId, spanId, kind, status: status.code, parentSpanId: parentSpanId || undefined },
    startedAt: BigInt(startTimeUnixNano),
    endedAt: BigInt(endTimeUnixNano),
    attributes: { ...resource, ...readAttributes(attributes) },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: as above
function readAttributes(attributes: any[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, readValue(value)]))
}

// biome-ignore lint/suspicious/noExplicitAny: as above
function readValue(value: any): unknown {
  return value.arrayValue ? value.arrayValue.values.map(readValue) : (value.stringValue ?? value.intValue ?? value.boolValue)
}

/** The spans of a trace as a tree of names in the order of their start, indented by two spaces per level */
export function treeOf(spans: readonly CollectedSpan[], parent?: string): string[] {
  const known = new Set(spans.map(({ spanId }) => spanId))
  return spans
    .filter((span) => (parent === undefined ? !known.has(span.parentSpanId ?? '') : span.parentSpanId === parent))
    .sort((a, b) => Number(a.startedAt - b.startedAt))
    .flatMap((span) => [span.name, ...treeOf(spans, span.spanId).map((line) => `  ${line}`)])
}
