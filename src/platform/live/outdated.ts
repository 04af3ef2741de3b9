import { type Entities, publicId } from 'cached-resolvers'
import type { LiveChange } from '../database/live-changes.js'

/** Of the cache: an entry, a list, or (neither) a whole namespace */
export interface Outdated {
  namespace: string
  entry: string | null
  list: string | null
}

/** What entities declare of live changes */
export interface LiveKinds {
  /** The kind of the users, say, for whom rows of this kind are made; null where it is rows that change that subscribers hear of */
  ownerKindOf(kind: string): string | null
  /** What a subscriber might still be shown the old value of, in an answer to one of these changes */
  outdatedBy(changes: readonly LiveChange[]): Outdated[]
  /** The same of a transaction of which only a part was read */
  readonly outdatedByAnything: readonly Outdated[]
}

interface LiveKind {
  kind: string
  ownerKind: string | null
  namespace: string
  /** Names of the namespaces where what an owner has is kept */
  ofOwners: { lists: readonly string[]; entries: readonly string[] }
}

export function liveKindsOf(entities: Entities<never>): LiveKinds {
  const all = Object.values(entities)
  const live = all.flatMap(({ kind, live, namespace, lists }): LiveKind[] => {
    if (kind === null || live === undefined) return []
    if (live === 'changed') return [{ kind, ownerKind: null, namespace: namespace.name, ofOwners: { lists: [], entries: [] } }]
    const ownerKind = live.createdFor.kind
    const ofOwners = {
      lists: Object.values(lists).flatMap((list) => (list.keyKind === ownerKind && list.namespace ? [list.namespace.name] : [])),
      // An owner may be as new as what was made for it.
      entries: all.filter((entity) => entity.kind === ownerKind).map(({ namespace }) => namespace.name),
    }
    return [{ kind, ownerKind, namespace: namespace.name, ofOwners }]
  })
  const byKind = new Map(live.map((its) => [its.kind, its]))
  return {
    ownerKindOf: (kind) => byKind.get(kind)?.ownerKind ?? null,
    outdatedBy: (changes) =>
      live.flatMap(({ kind, ownerKind, namespace, ofOwners }) => {
        const ofKind = changes.filter((change) => change.kind === kind)
        const owners = ownerKind === null ? [] : idsOf(ownerKind, ofKind, (change) => change.owners)
        return [
          ...keys(
            'entry',
            namespace,
            idsOf(kind, ofKind, ({ ids }) => ids),
          ),
          ...ofOwners.lists.flatMap((name) => keys('list', name, owners)),
          ...ofOwners.entries.flatMap((name) => keys('entry', name, owners)),
        ]
      }),
    outdatedByAnything: [
      ...new Set(live.flatMap(({ namespace, ofOwners }) => [namespace, ...ofOwners.lists, ...ofOwners.entries])),
    ].map(whole),
  }
}

/** Each once; null where any may have changed. */
function idsOf(
  kind: string,
  changes: readonly LiveChange[],
  numbersOf: (change: LiveChange) => number[] | null,
): string[] | null {
  const numbers = changes.map(numbersOf)
  if (numbers.includes(null)) return null
  return [...new Set(numbers.flatMap((some) => some ?? []))].map((number) => publicId(kind, number))
}

function keys(of: 'entry' | 'list', namespace: string, ids: readonly string[] | null): Outdated[] {
  if (ids === null || ids.length > maxKeys) return [whole(namespace)]
  return ids.map((id) => ({ ...whole(namespace), [of]: id }))
}

/** That is one key, whatever it holds. */
function whole(namespace: string): Outdated {
  return { namespace, entry: null, list: null }
}

const maxKeys = 500
