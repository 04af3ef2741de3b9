import { createServer, type RequestListener, type Server } from 'node:http'
import { OpenConnections } from './connections/open-connections.js'
import type { PipelinedRequests } from './connections/pipelined-requests.js'
import { probePaths } from './health/health-routes.js'
import { invalidTokenBudgetKey } from './limits/client.js'
import { ConnectionRate } from './limits/connection-rate.js'
import { createExpectationHandler, createRequestRefuser } from './request-error.js'
import type { HttpServerOptions } from './server-options.js'

/** Creates the server of node:http, with timeouts and limits for connections. */
export function createNodeServer(options: HttpServerOptions, pipelined: PipelinedRequests, listener: RequestListener): Server {
  const { receiveTimeoutMs, maxOpenConnections, slowReaders, errors } = options
  const { budgets, trustedProxies } = options.limits
  const isFarOverdrawn = (network: string) =>
    [network, invalidTokenBudgetKey(network)].some((client) => budgets?.isFarOverdrawn(client))
  const timeouts = {
    keepAliveTimeout: keepAliveMs,
    headersTimeout: receiveTimeoutMs,
    requestTimeout: receiveTimeoutMs,
    connectionsCheckingInterval: Math.min(receiveTimeoutMs / 2, 1_000),
  }
  const rate = new ConnectionRate({
    burst: Math.max(minConnectionBurst, maxOpenConnections / 2),
    perSecond: Math.max(minConnectionBurst, maxOpenConnections) / 10,
    now: () => performance.now(),
  })
  // OpenConnections replaces Node's own limit (maxConnections), which closes connections without a response.
  const connections = new OpenConnections({
    max: maxOpenConnections,
    // Behind proxies, connections do not belong to clients.
    mayConnect: (network) => trustedProxies > 0 || (!isFarOverdrawn(network) && rate.take(network)),
    probePaths,
    refuse: createRequestRefuser(errors, {
      status: 503,
      code: 'OVERLOADED',
      message: 'Too many connections are open, try again later',
    }),
  })
  const server = createServer({ ...timeouts, requireHostHeader: false }, connections.wrap(pipelined.wrap(listener)))
  server.on('checkExpectation', pipelined.wrap(createExpectationHandler(errors)))
  connections.watch(server)
  slowReaders.watch(server)
  return server
}

/** Minimum number of connections that a network may open in a burst, even if MAX_CONNECTIONS is small */
const minConnectionBurst = 500
/**
 * This idle timeout is longer than the usual idle timeout of load balancers (60 s), so that load balancers close idle connections
 * first.
 */
const keepAliveMs = 72_000
