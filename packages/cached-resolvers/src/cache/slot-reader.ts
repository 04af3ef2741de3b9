import type { Attempts } from './attempts.js'
import { decodeHeld } from './entry.js'
import type { Keys } from './key.js'
import type { EntryId, ListEntryId, Namespace } from './namespace.js'
import type { NearEntry, NearStore } from './near-store.js'
import { RecentSlots } from './recent-slots.js'
import { type Generation, joinGenerations, type Slot, type Under } from './slot.js'

export interface SlotReaderOptions {
  attempts: Attempts
  keys: Keys
  /** null: every read goes to the far store */
  near: NearStore | null
  now: () => number
  /** 0 to 1 */
  random: () => number
}

/** Finds what is held under ids: near where that may be used as it is, else in one round trip to the far store. */
export class SlotReader {
  /** null where there is a near store, which keeps what was decoded */
  private readonly recent: RecentSlots | null
  /** By key of the namespace's generation: as long as that stays the same, so does this, and slots can be told to be under it. */
  private readonly namespaces = new Map<string, Under>()

  constructor(private readonly options: SlotReaderOptions) {
    this.recent = options.near ? null : new RecentSlots({ maxBytes: maxRecentBytes, random: options.random })
  }

  read<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<Slot<Id>[]> {
    return this.options.near ? this.readNearAndFar(namespace, ids) : this.readFar(namespace, ids)
  }

  private async readNearAndFar<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<Slot<Id>[]> {
    const now = this.options.now()
    const near = ids.map((id) => this.readNear(namespace, id, now))
    const missing = ids.filter((_, index) => near[index] === undefined)
    if (missing.length === 0) return near as Slot<Id>[]
    const far = await this.readFar(namespace, missing)
    let next = 0
    return near.map((slot) => slot ?? (far[next++] as Slot<Id>))
  }

  /** What this process knows of it, at once: only what was filled under the generations that it knows, fresh or not. */
  findNear(namespace: Namespace<unknown>, id: EntryId): NearEntry | undefined {
    const { near, attempts } = this.options
    if (!near?.usable || !attempts.isSettled) return undefined
    return typeof id === 'string' ? near.find(namespace.name, id) : this.findListed(near, namespace, id)
  }

  private findListed(near: NearStore, namespace: Namespace<unknown>, id: ListEntryId): NearEntry | undefined {
    const { keys } = this.options
    const entry = near.findEntry(keys.entry(namespace, id))
    if (!entry) return undefined
    const ofNamespace = near.findGeneration(keys.namespaceGeneration(namespace))
    const ofList = near.findGeneration(keys.listGeneration(namespace, id.list))
    return entry.generation === `${ofNamespace}.${ofList}` ? entry : undefined
  }

  private readNear<Id extends EntryId>(namespace: Namespace<unknown>, id: Id, now: number): Slot<Id> | undefined {
    const held = this.findNear(namespace, id)?.held
    if (!held || held.header.softUntilMs <= now) return undefined
    const key = this.options.keys.entry(namespace, id)
    return { id, key, generation: held.header.generation, generations: [], held, near: true }
  }

  private async readFar<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<Slot<Id>[]> {
    const { keys, attempts } = this.options
    const lists = listsOf(ids)
    const recents = ids.map((id) => this.findRecent(namespace, id))
    const read = [keys.namespaceGeneration(namespace)]
    for (const list of lists) read.push(keys.listGeneration(namespace, list))
    const first = read.length
    ids.forEach((id, index) => {
      read.push(recents[index]?.key ?? keys.entry(namespace, id))
    })
    const marks = this.marks(read)
    const texts = await attempts.run(namespace, (store) => store.readMany(read))

    const textAt = (index: number) => texts?.[index] ?? null
    const ofNamespace = this.underNamespace(read[0] as string, textAt(0))
    const ofLists = lists.map((_, index) => underList(ofNamespace, read[1 + index] as string, textAt(1 + index)))
    const slots = ids.map((id, index): Slot<Id> => {
      const its = typeof id === 'string' ? ofNamespace : (ofLists[lists.indexOf(id.list)] as Under)
      const text = textAt(first + index)
      let recent = recents[index]
      if (recent?.isStill(text, its)) return recent as Slot<EntryId> as Slot<Id>
      // Another who read it in the same turn may have decoded it by now.
      recent = this.findRecent(namespace, id)
      if (recent?.isStill(text, its)) return recent as Slot<EntryId> as Slot<Id>
      const held = recent?.heldIn(text) ?? (texts ? decodeHeld(text, its.generation) : unavailable)
      const slot = { id, key: read[first + index] as string, ...its, held, near: false }
      if (isOfText(slot)) this.recent?.keep(namespace, slot, text)
      return slot
    })
    if (texts) this.keep(namespace, [ofNamespace, ...ofLists], slots, marks)
    return slots
  }

  private findRecent(namespace: Namespace<unknown>, id: EntryId) {
    return typeof id === 'string' ? this.recent?.find(namespace.name, id) : undefined
  }

  private underNamespace(key: string, text: string | null): Under {
    const known = this.namespaces.get(key)
    if (known?.generations[0]?.text === text) return known
    const its = under([{ key, text }])
    this.namespaces.set(key, its)
    return its
  }

  /** What the near store has to know of the moment before a read. */
  private marks(keys: readonly string[]): readonly number[] {
    const { near } = this.options
    return near ? keys.map((key) => near.mark(key)) : none
  }

  /** `unders`: of the namespace, then of the lists, in the order of `marks`. */
  private keep(
    { name, version }: Namespace<unknown>,
    unders: readonly Under[],
    slots: readonly Slot<EntryId>[],
    marks: readonly number[],
  ): void {
    const { near } = this.options
    if (!near) return
    for (const [index, { generations }] of unders.entries()) {
      const { key, text } = generations.at(-1) as Generation
      if (text !== null) near.putGeneration(key, text, marks[index] as number, index === 0 ? name : undefined)
    }
    for (const [index, { id, key, held }] of slots.entries()) {
      if (held.state !== 'entry' || held.header.version !== version) continue
      const mark = marks[unders.length + index] as number
      near.putEntry(key, held, mark, typeof id === 'string' ? { namespace: name, id } : undefined)
    }
  }
}

function under(generations: readonly Generation[]): Under {
  return { generations, generation: joinGenerations(generations) }
}

function underList({ generations }: Under, key: string, text: string | null): Under {
  return under([...generations, { key, text }])
}

/** Each once */
function listsOf(ids: readonly EntryId[]): readonly string[] {
  let lists: Set<string> | undefined
  for (const id of ids) if (typeof id !== 'string') lists = (lists ?? new Set()).add(id.list)
  return lists ? [...lists] : none
}

function isOfText(slot: Slot<EntryId>): slot is Slot<string> {
  return typeof slot.id === 'string'
}

const none: readonly never[] = []
const unavailable = { state: 'unavailable' } as const
const maxRecentBytes = 64 * 1024 * 1024
