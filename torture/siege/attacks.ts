import type { Arena } from './arena.js'
import { halfOpen, idleConnections, otherLanguages, slowReaders } from './connections.js'
import * as documents from './documents.js'
import * as subscriptions from './subscriptions.js'

/** What one address can do to the server without a token. Sizes, shapes and times come from the arena's chance. */
export const attacks = {
  'padded documents': documents.paddedDocuments,
  'padded, by GET and by hash': documents.paddedElsewhere,
  'long values': documents.longValues,
  'few points, much work': documents.fewPoints,
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
  'other languages': otherLanguages,
} satisfies Record<string, (arena: Arena) => Promise<void>>

export type AttackName = keyof typeof attacks

export const attackNames = Object.keys(attacks) as AttackName[]
