import type { Span } from '@opentelemetry/api'
import type { CacheReader, LookupSource } from 'cached-resolvers'
import { recordError, type SpanTracer } from './tracer.js'

type SourceCounts = Map<LookupSource, number>

/**
 * Adds a span to each batch read of a loader, with the number of keys and the lookups by source. Reads from the near store have
 * no span, and neither have reads without the cache: their statements have spans.
 */
export function tracedReader(reader: CacheReader, tracer: SpanTracer): CacheReader {
  return {
    hasNear: reader.hasNear,
    readNear: (namespace, id, counted) => reader.readNear(namespace, id, counted),
    fetchMany: (namespace, ids, fetch, options) => reader.fetchMany(namespace, ids, fetch, options),
    getOrFetchMany(namespace, ids, fetch, options) {
      const attributes = { 'cache.namespace': namespace.name, 'cache.keys': ids.length }
      const span = tracer.start({ name: `read ${namespace.name}`, attributes })
      if (!span) return reader.getOrFetchMany(namespace, ids, fetch, options)
      const counts: SourceCounts = new Map()
      const onLookup = (source: LookupSource) => {
        counts.set(source, (counts.get(source) ?? 0) + 1)
        options?.onLookup?.(source)
      }
      const found = tracer.runInSpan(span, () => reader.getOrFetchMany(namespace, ids, fetch, { ...options, onLookup }))
      void endWith(span, found, counts)
      return found
    },
  }
}

/** Ends the span when all values have settled, without delaying the caller. Values that are being fetched are promises. */
async function endWith(span: Span, found: Promise<readonly unknown[]>, counts: SourceCounts): Promise<void> {
  try {
    await Promise.all(await found)
  } catch (error) {
    recordError(span, error)
  }
  for (const [source, count] of counts) span.setAttribute(`cache.${source}`, count)
  span.end()
}
