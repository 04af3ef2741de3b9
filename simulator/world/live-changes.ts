import type * as real from '../../src/database/live-changes.js'
import type { SimulatedDatabase } from './database.js'
import type { PostgresServer } from './postgres-server.js'

/** In the place of src/database/live-changes.ts; the same contract is run against both. */

export const readLiveChanges: typeof real.readLiveChanges = (database, since) => {
  return pool(database).run((server, _, reply) => {
    const before = parse(since)
    const position = positionOf(server)
    const changes = server
      .liveChanges()
      .filter(({ xid }) => xid >= before.xmin && !before.isVisible(xid))
      .map(({ kind, transaction, ids, owners }) => ({ kind, transaction, ids, owners }))
    reply({ position, changes, isBehind: parse(position.snapshot).xmax < before.xmax } satisfies real.Reading)
  })
}

export const currentPosition: typeof real.currentPosition = (database) => {
  return pool(database).run((server, _, reply) => reply(positionOf(server)))
}

export const deleteLiveChanges: typeof real.deleteLiveChanges = (database, upTo) => {
  const { isVisible } = parse(upTo)
  return pool(database).run((server, _, reply) => reply(server.deleteLiveChanges(isVisible)))
}

export const listenToLiveChanges: typeof real.listenToLiveChanges = async (database, wake) => {
  await pool(database).listen('live_changes', wake, wake)
}

function positionOf(server: PostgresServer): real.Position {
  return { snapshot: server.snapshot(), atMs: Math.floor(server.now) }
}

/** As pg_snapshot: all below xmin have ended, none from xmax on has, and those listed were running. */
function parse(snapshot: string) {
  const [xmin = '', xmax = '', running = ''] = snapshot.split(':')
  const listed = new Set(running.split(',').map(Number))
  const isVisible = (xid: number) => xid < Number(xmin) || (xid < Number(xmax) && !listed.has(xid))
  return { xmin: Number(xmin), xmax: Number(xmax), isVisible }
}

function pool(database: unknown): SimulatedDatabase {
  return database as SimulatedDatabase
}
