import type { ApolloServerPlugin } from '@apollo/server'
import type { Context } from '../../graphql/context.js'

type Counts = NonNullable<Context['cacheReport']>['counts']

/**
 * If the request asks for a cache report, adds to the response where its data came from: in `extensions.cache`, and for developer
 * tools in the Server-Timing header.
 */
export function addCacheReport(now: () => number): ApolloServerPlugin<Context> {
  return {
    async requestDidStart({ contextValue: { cacheReport } }) {
      if (!cacheReport) return
      const startedAt = now()
      return {
        async willSendResponse({ response: { body, http } }) {
          if (body.kind !== 'single') return
          const cache = Object.fromEntries([...cacheReport.counts].map(([namespace, counts]) => [namespace, rounded(counts)]))
          body.singleResult.extensions = { ...body.singleResult.extensions, cache }
          http.headers.set('server-timing', serverTiming(cacheReport.counts, now() - startedAt))
        },
      }
    },
  }
}

/** Returns the value of a Server-Timing header, see https://www.w3.org/TR/server-timing/ */
function serverTiming(counts: Counts, totalMs: number): string {
  const entries = [...counts].flatMap(([namespace, { statements, statementMs, ...lookups }]) => {
    const sources = Object.entries(lookups).flatMap(([source, count]) => (count > 0 ? `${source} ${count}` : []))
    return [
      ...(sources.length > 0 ? [`${namespace};desc="${sources.join(', ')}"`] : []),
      ...(statements > 0 ? [`${namespace}-sql;desc="SQL statements: ${statements}";dur=${round(statementMs)}`] : []),
    ]
  })
  return [...entries, `total;dur=${round(totalMs)}`].join(', ')
}

function rounded<T extends { statementMs: number }>(counts: T): T {
  return { ...counts, statementMs: round(counts.statementMs) }
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}
