import type { Span } from '@opentelemetry/api'
import type { Cache, Origin } from 'cached-resolvers'
import { failed, type SpanTracer } from './tracer.js'

type Reader = Pick<Cache, 'readNear' | 'getOrFetchMany'>
type Origins = Map<Origin, number>

/** A span for each batch that loaders read: how many keys, and where they were found. What this process holds has none: nobody waits. */
export function tracedReader(reader: Reader, tracer: SpanTracer): Reader {
  return {
    readNear: (namespace, id, counted) => reader.readNear(namespace, id, counted),
    getOrFetchMany(namespace, ids, fetch, options) {
      const attributes = { 'cache.namespace': namespace.name, 'cache.keys': ids.length }
      const span = tracer.start({ name: `read ${namespace.name}`, attributes })
      if (!span) return reader.getOrFetchMany(namespace, ids, fetch, options)
      const origins: Origins = new Map()
      const observe = (origin: Origin) => {
        origins.set(origin, (origins.get(origin) ?? 0) + 1)
        options?.observe?.(origin)
      }
      const found = tracer.enter(span, () => reader.getOrFetchMany(namespace, ids, fetch, { ...options, observe }))
      void endWith(span, found, origins)
      return found
    },
  }
}

/** What is being fetched comes as promises: the span lasts until they are there, but holds nobody up. */
async function endWith(span: Span, found: Promise<readonly unknown[]>, origins: Origins): Promise<void> {
  try {
    await Promise.all(await found)
  } catch (error) {
    failed(span, error)
  }
  for (const [origin, count] of origins) span.setAttribute(`cache.${origin}`, count)
  span.end()
}
