export { isCancelled, readCancellably } from './cancellably.js'
export { createChangeSource } from './change-source.js'
export { type OutboxRow, ownOutboxRows } from './outbox.js'
export { Relay } from './relay.js'
