import type { Attempts } from './attempts.js'
import { decodeHeld, type EntryHeld } from './entry.js'
import type { Keys } from './key.js'
import type { EntryId, ListEntryId, Namespace } from './namespace.js'
import type { NearStore } from './near-store.js'
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

  /** What this process knows of it, at once: only what is fresh, and filled under the generations that it knows. */
  findNear(namespace: Namespace<unknown>, id: EntryId, now: number): EntryHeld | undefined {
    const { near, attempts } = this.options
    if (!near?.usable || !attempts.allowed) return undefined
    const held = typeof id === 'string' ? near.find(namespace.name, id) : this.findListed(near, namespace, id)
    return held && held.header.version === namespace.version && held.header.softUntilMs > now ? held : undefined
  }

  private findListed(near: NearStore, namespace: Namespace<unknown>, id: ListEntryId): EntryHeld | undefined {
    const { keys } = this.options
    const held = near.get(keys.entry(namespace, id)) as EntryHeld | undefined
    if (!held) return undefined
    const generation = `${near.get(keys.namespaceGeneration(namespace))}.${near.get(keys.listGeneration(namespace, id.list))}`
    return held.header.generation === generation ? held : undefined
  }

  private readNear<Id extends EntryId>(namespace: Namespace<unknown>, id: Id, now: number): Slot<Id> | undefined {
    const held = this.findNear(namespace, id, now)
    if (!held) return undefined
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
      read.push(recents[index]?.slot.key ?? keys.entry(namespace, id))
    })
    const marks = this.marks(read)
    const texts = await attempts.run(namespace, (store) => store.readMany(read))

    const textAt = (index: number) => texts?.[index] ?? null
    const ofNamespace = this.underNamespace(read[0] as string, textAt(0))
    const ofLists = lists.map((_, index) => underList(ofNamespace, read[1 + index] as string, textAt(1 + index)))
    const slots = ids.map((id, index): Slot<Id> => {
      const its = typeof id === 'string' ? ofNamespace : (ofLists[lists.indexOf(id.list)] as Under)
      const text = textAt(first + index)
      let known = recents[index]?.slotFor(text, its)
      if (known) return known as Slot<EntryId> as Slot<Id>
      // Another who read it in the same turn may have decoded it by now.
      const recent = this.findRecent(namespace, id)
      known = recent?.slotFor(text, its)
      if (known) return known as Slot<EntryId> as Slot<Id>
      const held = recent?.heldIn(text) ?? (texts ? decodeHeld(text) : unavailable)
      const slot = { id, key: read[first + index] as string, ...its, held, near: false }
      if (isOfText(slot)) this.recent?.keep(namespace.name, slot, text)
      return slot
    })
    if (texts) this.keep(namespace, read.slice(0, first), texts, slots, marks)
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

  private keep(
    { name }: Namespace<unknown>,
    generationKeys: readonly string[],
    texts: readonly (string | null)[],
    slots: readonly Slot<EntryId>[],
    marks: readonly number[],
  ): void {
    const { near } = this.options
    if (!near) return
    for (const [index, key] of generationKeys.entries()) {
      const text = texts[index]
      if (text != null) near.put(key, text, marks[index] as number, index === 0 ? { namespace: name } : undefined)
    }
    for (const [index, { id, key, held }] of slots.entries()) {
      const mark = marks[generationKeys.length + index] as number
      if (held.state === 'entry') near.put(key, held, mark, typeof id === 'string' ? { namespace: name, id } : undefined)
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
