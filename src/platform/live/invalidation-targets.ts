import { type Entities, publicId } from 'cached-resolvers'
import type { LiveChange } from '../database/live-changes.js'

/** An entry or a list of the cache, or the whole namespace if both are null */
export interface InvalidationTarget {
  namespace: string
  entry: string | null
  list: string | null
}

/** The kinds of rows that have live updates, as the entities declare them */
export interface LiveKinds {
  /**
   * Returns the kind of owner whose subscribers receive new rows of this kind, such as users for orders. Returns null if rows of
   * this kind have no owner; their subscribers receive changes of the rows themselves.
   */
  ownerKindOf(kind: string): string | null
  /** Returns the cache contents that may put an old value into the events that publish these changes. */
  targetsOf(changes: readonly LiveChange[]): InvalidationTarget[]
  /** What to invalidate for a transaction that was read only in part: the namespaces of all kinds */
  readonly allTargets: readonly InvalidationTarget[]
}

interface LiveKind {
  kind: string
  ownerKind: string | null
  namespace: string
  /** Names of the namespaces that contain lists by owner, and names of the namespaces that contain the owners */
  ownerNamespaces: { lists: readonly string[]; entries: readonly string[] }
}

export function liveKindsOf(entities: Entities<never>): LiveKinds {
  const all = Object.values(entities)
  const live = all.flatMap(({ kind, live, namespace, lists }): LiveKind[] => {
    if (kind === null || live === undefined) return []
    if (live === 'changed')
      return [{ kind, ownerKind: null, namespace: namespace.name, ownerNamespaces: { lists: [], entries: [] } }]
    const ownerKind = live.createdFor.kind
    const ownerNamespaces = {
      lists: Object.values(lists).flatMap((list) => (list.keyKind === ownerKind && list.namespace ? [list.namespace.name] : [])),
      // The same transaction may have created the owner.
      entries: all.filter((entity) => entity.kind === ownerKind).map(({ namespace }) => namespace.name),
    }
    return [{ kind, ownerKind, namespace: namespace.name, ownerNamespaces }]
  })
  const byKind = new Map(live.map((liveKind) => [liveKind.kind, liveKind]))
  return {
    ownerKindOf: (kind) => byKind.get(kind)?.ownerKind ?? null,
    targetsOf: (changes) =>
      live.flatMap(({ kind, ownerKind, namespace, ownerNamespaces }) => {
        const ofKind = changes.filter((change) => change.kind === kind)
        const owners = ownerKind === null ? [] : idsOf(ownerKind, ofKind, (change) => change.owners)
        return [
          ...targets(
            'entry',
            namespace,
            idsOf(kind, ofKind, ({ ids }) => ids),
          ),
          ...ownerNamespaces.lists.flatMap((name) => targets('list', name, owners)),
          ...ownerNamespaces.entries.flatMap((name) => targets('entry', name, owners)),
        ]
      }),
    allTargets: [
      ...new Set(
        live.flatMap(({ namespace, ownerNamespaces }) => [namespace, ...ownerNamespaces.lists, ...ownerNamespaces.entries]),
      ),
    ].map(wholeNamespace),
  }
}

/** Returns distinct public ids; null if a change does not list its rows. */
function idsOf(kind: string, changes: readonly LiveChange[], rowIdsOf: (change: LiveChange) => number[] | null): string[] | null {
  const rowIds = changes.map(rowIdsOf)
  if (rowIds.includes(null)) return null
  return [...new Set(rowIds.flatMap((ids) => ids ?? []))].map((id) => publicId(kind, id))
}

function targets(type: 'entry' | 'list', namespace: string, ids: readonly string[] | null): InvalidationTarget[] {
  if (ids === null || ids.length > maxTargets) return [wholeNamespace(namespace)]
  return ids.map((id) => ({ ...wholeNamespace(namespace), [type]: id }))
}

/**
 * Returns the target that invalidates a whole namespace. Such an invalidation removes one key, whatever the number of entries.
 */
function wholeNamespace(namespace: string): InvalidationTarget {
  return { namespace, entry: null, list: null }
}

const maxTargets = 500
