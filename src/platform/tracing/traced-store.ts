import { SpanKind } from '@opentelemetry/api'
import type { CacheStore, Swap } from 'cached-resolvers'
import type { SpanTracer } from './tracer.js'

/**
 * Wraps a store with a span for each command of a request. Reads of several requests in one iteration of the event loop share an
 * MGET. Each of these requests has a separate span for that MGET, since each of them waits for the MGET.
 */
export function tracedStore(store: CacheStore, tracer: SpanTracer): CacheStore {
  const trace = <T>(operation: string, detail: string, keys: number, command: () => Promise<T>) =>
    tracer.runInNewSpan(
      {
        name: `${operation} ${detail}`.trim(),
        kind: SpanKind.CLIENT,
        attributes: { 'db.system.name': 'redis', 'db.operation.name': operation, 'cache.keys': keys },
      },
      command,
    )
  const traced: Pick<CacheStore, 'readMany' | 'swapMany' | 'removeMany'> = {
    readMany: (keys) => trace('MGET', '', keys.length, () => store.readMany(keys)),
    swapMany: (swaps) => trace('EVALSHA', purposeOf(swaps), swaps.length, () => store.swapMany(swaps)),
    removeMany: (keys) => trace('EVALSHA', 'invalidate', keys.length, () => store.removeMany(keys)),
  }
  return new Proxy(store, {
    get(target, name) {
      if (name in traced) return traced[name as keyof typeof traced]
      const member = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

/** A fill replaces the stored text with a new value; any other swap acquires or releases a lease. */
function purposeOf(swaps: readonly Swap[]): 'fill' | 'lease' {
  return swaps.some(({ when, value }) => when.state === 'startsWith' && value !== when.expected) ? 'fill' : 'lease'
}
