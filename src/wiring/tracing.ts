import type { Config } from '../config.js'
import { onResponseClosed } from '../http/connections/response-closed.js'
import { requestId } from '../http/headers/request-id.js'
import { graphqlPath } from '../http/paths.js'
import { createLogger } from '../platform/log/logger.js'
import type { Tracing } from '../platform/tracing/tracing.js'
import type { ResourceStack } from './resource-stack.js'

/** Starts tracing if a collector is configured. Otherwise, the tracing module is not loaded. */
export async function startTracing(config: Config, resources: ResourceStack): Promise<Tracing | undefined> {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT
  if (endpoint === undefined) return undefined
  const { Tracing: TracingClass } = await import('../platform/tracing/tracing.js')
  const logger = createLogger(config)
  const tracing = new TracingClass({
    endpoint,
    path: graphqlPath,
    requestIdOf: requestId,
    onResponseClosed,
    headers: config.OTEL_EXPORTER_OTLP_HEADERS ?? {},
    serviceName: config.OTEL_SERVICE_NAME,
    sampler: config.OTEL_TRACES_SAMPLER,
    samplerRatio: config.OTEL_TRACES_SAMPLER_ARG,
    log: (message) => logger.warn(message),
  })
  resources.push(() => tracing.stop())
  return tracing
}
