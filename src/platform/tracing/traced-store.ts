import { SpanKind } from '@opentelemetry/api'
import type { CacheStore, Swap } from 'cached-resolvers'
import type { SpanTracer } from './tracer.js'

/**
 * The same store, with a span for what a request asks it. Reads of one turn of the event loop are one MGET, which each of its
 * requests has a span of: it is what each of them waits for.
 */
export function tracedStore(store: CacheStore, tracer: SpanTracer): CacheStore {
  const asked = <T>(operation: string, detail: string, keys: number, command: () => Promise<T>) =>
    tracer.within(
      {
        name: `${operation} ${detail}`.trim(),
        kind: SpanKind.CLIENT,
        attributes: { 'db.system.name': 'redis', 'db.operation.name': operation, 'cache.keys': keys },
      },
      command,
    )
  const traced: Pick<CacheStore, 'readMany' | 'swapMany' | 'removeMany'> = {
    readMany: (keys) => asked('MGET', '', keys.length, () => store.readMany(keys)),
    swapMany: (swaps) => asked('EVALSHA', purposeOf(swaps), swaps.length, () => store.swapMany(swaps)),
    removeMany: (keys) => asked('EVALSHA', 'invalidate', keys.length, () => store.removeMany(keys)),
  }
  return new Proxy(store, {
    get(target, name) {
      if (name in traced) return traced[name as keyof typeof traced]
      const its = Reflect.get(target, name, target)
      return typeof its === 'function' ? its.bind(target) : its
    },
  })
}

/** A fill puts a value in place of what it holds; all else is about who may fill. */
function purposeOf(swaps: readonly Swap[]): 'fill' | 'lease' {
  return swaps.some(({ when, value }) => when.state === 'held' && value !== when.expected) ? 'fill' : 'lease'
}
