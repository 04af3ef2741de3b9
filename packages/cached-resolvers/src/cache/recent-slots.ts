import { ClockMap, type ClockMapOptions } from './clock-map.js'
import type { EntryHeld } from './entry.js'
import { KeptEntry } from './kept-entry.js'
import type { Namespace } from './namespace.js'
import type { Slot, Under } from './slot.js'

/** A slot as it was read last, from this text */
class RecentSlot extends KeptEntry implements Slot<string> {
  readonly near = false
  readonly id: string
  readonly generations: Slot<string>['generations']

  constructor(
    readonly namespace: string,
    { id, key, generations, held }: FullSlot,
    private readonly text: string,
  ) {
    super(key, bytesOf(key, id, text), held)
    this.id = id
    this.generations = generations
  }

  /** Whether the store gave the same again, and under the same. */
  isStill(text: string | null, { generations }: Under): boolean {
    return this.generations === generations && this.text === text
  }

  heldIn(text: string | null): EntryHeld | undefined {
    return this.text === text ? this.held : undefined
  }
}

/** A slot that holds an entry */
type FullSlot = Slot<string> & { readonly held: EntryHeld }

/**
 * Slots as they were read last, for as long as the store gives the same texts: comparing these is cheaper than decoding and parsing
 * them. Nothing is answered that the store did not just give. Values are shared between requests: nobody may change them.
 */
export class RecentSlots {
  private readonly recent: ClockMap<RecentSlot>
  /** By name of the namespace, then by id: an id is at hand, and hashed already, where a key would have to be put together. */
  private readonly shelves = new Map<string, Map<string, RecentSlot>>()

  constructor(options: Pick<ClockMapOptions<RecentSlot>, 'maxBytes' | 'random'>) {
    const onDelete = ({ namespace, id }: RecentSlot) => this.shelves.get(namespace)?.delete(id)
    this.recent = new ClockMap({ ...options, onDelete })
  }

  find(namespace: string, id: string): RecentSlot | undefined {
    const recent = this.shelves.get(namespace)?.get(id)
    if (recent) recent.used = true
    return recent
  }

  /** Keeps it, where it can be read and there is room. */
  keep({ name, version }: Namespace<unknown>, slot: Slot<string>, text: string | null): void {
    if (text === null || !isReadable(slot, version) || !this.recent.admits(slot.key, bytesOf(slot.key, slot.id, text))) return
    const recent = new RecentSlot(name, slot, text)
    if (!this.recent.set(recent)) return
    const shelf = this.shelves.get(name) ?? new Map<string, RecentSlot>()
    this.shelves.set(name, shelf.set(slot.id, recent))
  }
}

function isReadable(slot: Slot<string>, version: number): slot is FullSlot {
  const { held, generation } = slot
  return held.state === 'entry' && held.header.generation === generation && held.header.version === version
}

/** Key, text, header and, once it was parsed, the value. An id may be longer than its key. */
function bytesOf(key: string, id: string, text: string): number {
  return 400 + 2 * Math.max(key.length, id.length) + 4 * text.length
}
