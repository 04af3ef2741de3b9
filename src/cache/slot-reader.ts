import type { Attempts } from './attempts.js'
import { decodeHeld, type EntryHeld } from './entry.js'
import type { Keys } from './key.js'
import type { EntryId, Namespace } from './namespace.js'
import type { NearStore } from './near-store.js'
import { type Generation, joinGenerations, type Slot } from './slot.js'

export interface SlotReaderOptions {
  attempts: Attempts
  keys: Keys
  /** null: every read goes to the far store */
  near: NearStore | null
  now: () => number
}

/** Finds what is held under ids: near where that may be used as it is, else in one round trip to the far store. */
export class SlotReader {
  constructor(private readonly options: SlotReaderOptions) {}

  async read<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<Slot<Id>[]> {
    if (!this.options.near) return this.readFar(namespace, ids)
    const near = ids.map((id) => this.readNear(namespace, id))
    const missing = ids.filter((_, index) => near[index] === undefined)
    if (missing.length === 0) return near as Slot<Id>[]
    const far = await this.readFar(namespace, missing)
    let next = 0
    return near.map((slot) => slot ?? (far[next++] as Slot<Id>))
  }

  /** What this process knows of it, at once: only what is fresh, and filled under the generations that it knows. */
  findNear(namespace: Namespace<unknown>, id: EntryId): EntryHeld | undefined {
    const { near, attempts, keys, now } = this.options
    if (!near?.usable || !attempts.allowed) return undefined
    const namespaceKey = keys.namespaceGeneration(namespace)
    const isListed = typeof id !== 'string'
    const held = (isListed ? near.get(keys.entry(namespace, id)) : near.find(namespaceKey, id)) as EntryHeld | undefined
    if (!held || held.header.version !== namespace.version || held.header.softUntilMs <= now()) return undefined
    const known = near.get(namespaceKey)
    const current = isListed ? `${known}.${near.get(keys.listGeneration(namespace, id.list))}` : known
    return held.header.generation === current ? held : undefined
  }

  private readNear<Id extends EntryId>(namespace: Namespace<unknown>, id: Id): Slot<Id> | undefined {
    const held = this.findNear(namespace, id)
    if (!held) return undefined
    const key = this.options.keys.entry(namespace, id)
    return { id, key, generation: held.header.generation, generations: [], held, near: true }
  }

  private async readFar<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<Slot<Id>[]> {
    const { keys, attempts } = this.options
    const namespaceKey = keys.namespaceGeneration(namespace)
    const listKeys = new Map<string, string>()
    for (const id of ids) if (typeof id !== 'string') listKeys.set(id.list, keys.listGeneration(namespace, id.list))
    const generationKeys = [namespaceKey, ...listKeys.values()]
    const entryKeys = ids.map((id) => keys.entry(namespace, id))
    const read = [...generationKeys, ...entryKeys]
    const marks = this.marks(read)
    const texts = await attempts.run(namespace, (store) => store.readMany(read))

    const textOf = new Map(generationKeys.map((key, index) => [key, texts?.[index] ?? null]))
    const under = (...generationKeys: string[]) => {
      const generations = generationKeys.map((key): Generation => ({ key, text: textOf.get(key) ?? null }))
      return { generations, generation: joinGenerations(generations) }
    }
    const underNamespace = under(namespaceKey)
    const underList = new Map([...listKeys].map(([list, key]) => [list, under(namespaceKey, key)]))
    const slots = ids.map((id, index): Slot<Id> => {
      const held = texts ? decodeHeld(texts[textOf.size + index] ?? null) : ({ state: 'unavailable' } as const)
      const { generation, generations } =
        typeof id === 'string' ? underNamespace : (underList.get(id.list) as typeof underNamespace)
      return { id, key: entryKeys[index] as string, generation, generations, held, near: false }
    })
    this.keep(namespaceKey, textOf, slots, marks)
    return slots
  }

  /** What the near store has to know of the moment before a read. */
  private marks(keys: readonly string[]): readonly number[] {
    const { near } = this.options
    return near ? keys.map((key) => near.mark(key)) : []
  }

  private keep(
    namespace: string,
    texts: ReadonlyMap<string, string | null>,
    slots: readonly Slot<EntryId>[],
    marks: readonly number[],
  ): void {
    const { near } = this.options
    if (!near) return
    let next = 0
    for (const [key, text] of texts) {
      const mark = marks[next++] as number
      if (text !== null) near.put(key, text, mark)
    }
    for (const { id, key, held } of slots) {
      const mark = marks[next++] as number
      if (held.state === 'entry') near.put(key, held, mark, typeof id === 'string' ? { namespace, id } : undefined)
    }
  }
}
