import type { ApolloServerPlugin } from '@apollo/server'
import type { Context } from '../../graphql/context.js'

type Counts = NonNullable<Context['origins']>['counts']

/** Tells a request that asked for it where its data came from: in `extensions.cache`, and in the Server-Timing header for developer tools. */
export function reportOrigins(now: () => number): ApolloServerPlugin<Context> {
  return {
    async requestDidStart({ contextValue: { origins } }) {
      if (!origins) return
      const startedAt = now()
      return {
        async willSendResponse({ response: { body, http } }) {
          if (body.kind !== 'single') return
          const cache = Object.fromEntries([...origins.counts].map(([namespace, its]) => [namespace, rounded(its)]))
          body.singleResult.extensions = { ...body.singleResult.extensions, cache }
          http.headers.set('server-timing', serverTiming(origins.counts, now() - startedAt))
        },
      }
    },
  }
}

/** https://www.w3.org/TR/server-timing/ */
function serverTiming(counts: Counts, totalMs: number): string {
  const metrics = [...counts].flatMap(([namespace, { statements, statementMs, ...lookups }]) => {
    const found = Object.entries(lookups).flatMap(([origin, count]) => (count > 0 ? `${origin} ${count}` : []))
    return [
      ...(found.length > 0 ? [`${namespace};desc="${found.join(', ')}"`] : []),
      ...(statements > 0 ? [`${namespace}-sql;desc="SQL statements: ${statements}";dur=${round(statementMs)}`] : []),
    ]
  })
  return [...metrics, `total;dur=${round(totalMs)}`].join(', ')
}

function rounded<T extends { statementMs: number }>(counts: T): T {
  return { ...counts, statementMs: round(counts.statementMs) }
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}
