import { ApolloServer } from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import type { CompiledQueries } from 'cached-resolvers/compiled-queries'
import type { Context } from '../graphql/context.js'
import { parseOptions, validationOptions, validationRules } from '../graphql/document-limits.js'
import { DocumentStore } from '../graphql/document-store.js'
import { createErrorFormatter } from '../graphql/errors.js'
import { compiledQueriesPlugin } from './fast-path/compiled-queries-plugin.js'
import { cacheControl } from './headers/cache-control.js'
import { type CostLimits, limitCost } from './limits/limit-cost.js'
import { addCacheReport } from './observing/add-cache-report.js'
import { logErrors } from './observing/log-errors.js'
import type { RequestObserver } from './observing/request-observer.js'
import { traceOperations } from './observing/trace-operations.js'
import { sandboxPage } from './pages/sandbox.js'
import { graphqlPath, streamPath } from './paths.js'
import type { HttpServerOptions } from './server-options.js'
import { rejectSubscriptions } from './subscriptions/reject-subscriptions.js'

interface ApolloParts {
  costLimits: CostLimits
  compiledQueries: CompiledQueries
  observer: RequestObserver
}

/** Creates the Apollo Server that executes operations on the standard path. It must be started. */
export function createApollo(
  { schema, documents, introspection, describeOperationalError, logger, tracing }: HttpServerOptions,
  { costLimits, compiledQueries, observer }: ApolloParts,
): ApolloServer<Context> {
  return new ApolloServer<Context>({
    schema,
    // Our own validation rules and error formatter refuse introspection, with messages that explain what to do instead.
    introspection: true,
    parseOptions,
    validationOptions,
    validationRules: validationRules(introspection),
    persistedQueries: documents.persistedQueries,
    documentStore: new DocumentStore(maxDocumentBytes),
    includeStacktraceInErrorResponses: false,
    // The process handles signals, and drains before it stops.
    stopOnTerminationSignals: false,
    formatError: createErrorFormatter({ describeOperationalError, suggestsNames: introspection }),
    logger,
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      introspection ? sandboxPage() : ApolloServerPluginLandingPageDisabled(),
      logErrors(logger, describeOperationalError),
      limitCost(costLimits, (context, points) => observer.recordCost(context, points)),
      addCacheReport(() => performance.now()),
      cacheControl(schema),
      compiledQueriesPlugin(compiledQueries),
      observer.plugin(),
      rejectSubscriptions(streamPath, graphqlPath),
      ...(tracing ? [traceOperations(tracing.operations)] : []),
    ],
  })
}

/** Heap for parsed documents, which suffices for about 3,000 documents of typical size, or 70 of the largest */
const maxDocumentBytes = 32 * 1024 * 1024
