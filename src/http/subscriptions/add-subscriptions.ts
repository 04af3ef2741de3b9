import type { IncomingMessage, Server } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { noFlags } from '../headers/request-flags.js'
import { clientOf, networkOf } from '../limits/client.js'
import type { CostLimits } from '../limits/limit-cost.js'
import type { AdmissionController } from '../overload/admission-control.js'
import { alwaysOpen } from '../overload/deadlines.js'
import { graphqlPath, streamPath } from '../paths.js'
import type { HttpServerOptions } from '../server-options.js'
import { addEventStream, type EventStreamOptions } from './event-stream.js'
import { LiveConnections } from './live-connections.js'
import { type CreateSubscriber, Subscriptions } from './subscriptions.js'
import { WebSocketEndpoint } from './web-socket.js'

type SubscriptionRouteOptions = HttpServerOptions & {
  costLimits: CostLimits
  admission: AdmissionController
} & Pick<EventStreamOptions, 'pipelined' | 'checkBudget'>

/** Adds subscriptions over WebSocket and server-sent events. */
export function addSubscriptions(server: FastifyInstance, options: SubscriptionRouteOptions): void {
  const { createContext, authenticator, origins, maxLiveConnections, maxLiveConnectionsPerAddress, heartbeatMs } = options
  const { admission, pipelined, checkBudget } = options
  const limits = { max: maxLiveConnections, maxPerAddress: maxLiveConnectionsPerAddress }
  const connections = new LiveConnections(limits, options.subscriptions)
  const subscriptions = new Subscriptions({ ...options, connections, metrics: options.subscriptions, now: Date.now })
  const addressOf = (request: IncomingMessage) => networkOf(request, options.limits.trustedProxies)
  const createSubscriber: CreateSubscriber = async (request, requestId, authorization) => {
    const checkToken = () => authenticator.authenticate(authorization)
    const { expiresAtMs, viewer } = await checkToken()
    const client = clientOf(request, viewer, options.limits.trustedProxies)
    const createCheckedContext = async () => {
      const { viewer } = await checkToken()
      return createContext({ id: requestId, viewer, flags: noFlags, connection: alwaysOpen, client })
    }
    const address = addressOf(request)
    return { requestId, viewer, address, client, expiresAtMs, checkToken, createContext: createCheckedContext }
  }
  const shared = { subscriptions, connections, origins, createSubscriber, addressOf, heartbeatMs, admission }
  addEventStream(server, { ...shared, path: streamPath, pipelined, checkBudget })
  const webSocket = new WebSocketEndpoint({
    ...shared,
    path: graphqlPath,
    maxSubscriptions,
    initTimeoutMs,
    hosts: options.hosts,
    refusedOrigins: options.refusedOrigins,
  })
  webSocket.listenOn(server.server as Server)
  server.addHook('preClose', async () => webSocket.close())
}

/** Maximum number of subscriptions per WebSocket */
const maxSubscriptions = 100
const initTimeoutMs = 5_000
