import type { Attempts } from './attempts.js'
import { decodeHeld, type EntryHeld } from './entry.js'
import type { Keys } from './key.js'
import type { EntryId, Namespace } from './namespace.js'
import type { NearStore } from './near-store.js'
import { type Generation, joinGenerations, type Slot, type SlotKeys, slotKeys } from './slot.js'

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
    const keys = slotKeys(this.options.keys, namespace, ids)
    const near = this.readNear(namespace, keys)
    const missing = keys.entryKeys.filter((_, index) => near[index] === undefined)
    const far = missing.length > 0 ? await this.readFar(namespace, keys.generationKeys, missing) : undefined
    return ids.map((id, index) => {
      const key = keys.entryKeys[index] as string
      const found = near[index]
      if (found) return { id, key, ...found, near: true }
      const generations = generationKeysOf(keys, index).map((its) => ({ key: its, text: far?.generations.get(its) ?? null }))
      return { id, key, generations, held: far?.held.get(key) ?? { state: 'unavailable' }, near: false }
    })
  }

  /** For each key what this process knows of it: only what is fresh, and filled under the generations that it knows. */
  private readNear(
    namespace: Namespace<unknown>,
    keys: SlotKeys,
  ): ({ held: EntryHeld; generations: Generation[] } | undefined)[] {
    const { near, attempts, now } = this.options
    if (!near?.usable || !attempts.allowed) return []
    const time = now()
    return keys.entryKeys.map((key, index) => {
      const held = near.get(key) as EntryHeld | undefined
      if (!held || held.header.softUntilMs <= time || held.header.version !== namespace.version) return undefined
      const generations = generationKeysOf(keys, index).map((its) => ({ key: its, text: (near.get(its) as string) ?? null }))
      return held.header.generation === joinGenerations(generations) ? { held, generations } : undefined
    })
  }

  /** undefined where the store did not answer. */
  private async readFar(namespace: Namespace<unknown>, generationKeys: readonly string[], entryKeys: readonly string[]) {
    const { near, attempts } = this.options
    const keys = [...generationKeys, ...entryKeys]
    const marks = keys.map((key) => near?.mark(key) ?? 0)
    const texts = await attempts.run(namespace, (store) => store.readMany(keys))
    if (!texts) return undefined
    const generations = new Map(generationKeys.map((key, index) => [key, texts[index] ?? null]))
    const held = new Map(entryKeys.map((key, index) => [key, decodeHeld(texts[generationKeys.length + index] ?? null)]))
    for (const [index, key] of keys.entries()) {
      const known = generations.get(key) ?? held.get(key)
      if (typeof known === 'string' || known?.state === 'entry') near?.put(key, known, marks[index] as number)
    }
    return { generations, held }
  }
}

function generationKeysOf({ namespaceKey, listKeys }: SlotKeys, index: number): string[] {
  const listKey = listKeys[index] ?? null
  return listKey === null ? [namespaceKey] : [namespaceKey, listKey]
}
