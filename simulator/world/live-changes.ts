import type * as real from '../../src/platform/database/live-changes.js'
import type { SimulatedDatabase } from './database.js'
import type { PostgresServer } from './postgres-server.js'
import { parseSnapshot } from './snapshots.js'

/** Replaces src/platform/database/live-changes.ts. The same contract tests run against both. */

export const readLiveChanges: typeof real.readLiveChanges = (database, { since, until, after, limit }) => {
  return pool(database).run((server, _, reply) => {
    const before = parseSnapshot(since)
    const position = positionOf(server)
    const now = parseSnapshot(until ?? position.snapshot)
    const changes = server
      .liveChanges()
      .filter(({ xid, id }) => {
        const isAfterCursor =
          after === null || xid > Number(after.transaction) || (xid === Number(after.transaction) && id > after.id)
        return isAfterCursor && !before.isVisible(xid) && now.isVisible(xid)
      })
      .sort((a, b) => a.xid - b.xid || a.id - b.id)
      .slice(0, limit)
      .map(({ xid: _, ...change }) => change)
    const hasLostTransactions = parseSnapshot(position.snapshot).xmax < before.xmax
    reply({ position, changes, hasLostTransactions } satisfies real.LiveChangeBatch)
  })
}

export const currentPosition: typeof real.currentPosition = (database) => {
  return pool(database).run((server, _, reply) => reply(positionOf(server)))
}

export const deleteLiveChanges: typeof real.deleteLiveChanges = (database, upTo) => {
  const { isVisible } = parseSnapshot(upTo)
  return pool(database).run((server, _, reply) => reply(server.deleteLiveChanges(isVisible)))
}

export const listenToLiveChanges: typeof real.listenToLiveChanges = async (database, wake) => {
  await pool(database).listen('live_changes', wake, wake)
}

function positionOf(server: PostgresServer): real.Position {
  return { snapshot: server.snapshot(), atMs: Math.floor(server.now) }
}

function pool(database: unknown): SimulatedDatabase {
  return database as SimulatedDatabase
}
