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

/** A slot that was found in this process: what it holds may be used as it is. */
export type NearSlot<Id extends EntryId> = Slot<Id> & { readonly held: EntryHeld }

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
  readNear<Id extends EntryId>(namespace: Namespace<unknown>, id: Id): NearSlot<Id> | undefined {
    const { near, attempts, keys, now } = this.options
    if (!near?.usable || !attempts.allowed) return undefined
    const key = keys.entry(namespace, id)
    const held = near.get(key) as EntryHeld | undefined
    if (!held || held.header.version !== namespace.version || held.header.softUntilMs <= now()) return undefined
    const { generation } = held.header
    const known = near.get(keys.namespaceGeneration(namespace))
    const current = typeof id === 'string' ? known : `${known}.${near.get(keys.listGeneration(namespace, id.list))}`
    return generation === current ? { id, key, generation, generations: [], held, near: true } : undefined
  }

  private async readFar<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<Slot<Id>[]> {
    const { keys, attempts } = this.options
    const namespaceKey = keys.namespaceGeneration(namespace)
    const lists = new Set(ids.flatMap((id) => (typeof id === 'string' ? [] : id.list)))
    const listKeys = new Map([...lists].map((list) => [list, keys.listGeneration(namespace, list)]))
    const entryKeys = ids.map((id) => keys.entry(namespace, id))
    const read = [namespaceKey, ...listKeys.values(), ...entryKeys]
    const marks = this.marks(read)
    const texts = await attempts.run(namespace, (store) => store.readMany(read))

    const textOf = new Map([namespaceKey, ...listKeys.values()].map((key, index) => [key, texts?.[index] ?? null]))
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
    this.keep(textOf, slots, marks)
    return slots
  }

  /** What the near store has to know of the moment before a read. */
  private marks(keys: readonly string[]): readonly number[] {
    const { near } = this.options
    return near ? keys.map((key) => near.mark(key)) : []
  }

  private keep(texts: ReadonlyMap<string, string | null>, slots: readonly Slot<EntryId>[], marks: readonly number[]): void {
    const { near } = this.options
    if (!near) return
    let next = 0
    for (const [key, text] of texts) {
      const mark = marks[next++] as number
      if (text !== null) near.put(key, text, mark)
    }
    for (const { key, held } of slots) {
      const mark = marks[next++] as number
      if (held.state === 'entry') near.put(key, held, mark)
    }
  }
}
