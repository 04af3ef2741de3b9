import type { AttackSession } from './attack-session.js'
import { halfOpen, idleConnections, otherProtocols, slowReaders } from './connections.js'
import * as documents from './documents.js'
import * as subscriptions from './subscriptions.js'

/** Attacks that one address can run without a token. Sizes, shapes and times are random, from the seed of the session. */
export const attacks = {
  'padded documents': documents.paddedDocuments,
  'padded, by GET and by hash': documents.paddedByGetAndHash,
  'long values': documents.longValues,
  'few points, much work': documents.underpricedRequests,
  'new documents': documents.newDocuments,
  'new documents at the stream': documents.newDocumentsAtStream,
  'bad requests': documents.badRequests,
  'equal subscriptions': subscriptions.equalSubscriptions,
  'padded subscriptions': subscriptions.paddedSubscriptions,
  'flood of frames': subscriptions.frameFlood,
  'sockets that come and go': subscriptions.socketChurn,
  'pipelined streams': subscriptions.pipelinedStreams,
  'idle connections': idleConnections,
  'half-open connections': halfOpen,
  'slow readers': slowReaders,
  'other protocols': otherProtocols,
} satisfies Record<string, (session: AttackSession) => Promise<void>>

export type AttackName = keyof typeof attacks

export const attackNames = Object.keys(attacks) as AttackName[]
