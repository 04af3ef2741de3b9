import { ClockMap, type ClockMapOptions, type Kept, use } from './clock-map.js'
import type { EntryHeld } from './entry.js'
import type { Slot, Under } from './slot.js'

/** A slot that holds an entry */
type FullSlot = Slot<string> & { readonly held: EntryHeld }

/** A slot as it was read last, from this text */
class Recent {
  constructor(
    readonly namespace: string,
    readonly slot: FullSlot,
    private readonly text: string,
  ) {}

  /** The slot, where the store gave the same again, and under the same. */
  slotFor(text: string | null, { generations }: Under): FullSlot | undefined {
    return this.text === text && this.slot.generations === generations ? this.slot : undefined
  }

  heldIn(text: string | null): EntryHeld | undefined {
    return this.text === text ? this.slot.held : undefined
  }
}

/**
 * Slots as they were read last, for as long as the store gives the same texts: comparing these is cheaper than decoding and parsing
 * them. Nothing is answered that the store did not just give. Values are shared between requests: nobody may change them.
 */
export class RecentSlots {
  private readonly recent: ClockMap<Recent>
  /** By name of the namespace, then by id: an id is at hand, and hashed already, where a key would have to be put together. */
  private readonly shelves = new Map<string, Map<string, Kept<Recent>>>()

  constructor(options: Pick<ClockMapOptions<Recent>, 'maxBytes' | 'random'>) {
    const onDelete = ({ namespace, slot }: Recent) => this.shelves.get(namespace)?.delete(slot.id)
    this.recent = new ClockMap({ ...options, onDelete })
  }

  find(namespace: string, id: string): Recent | undefined {
    return use(this.shelves.get(namespace)?.get(id))
  }

  /** Keeps it, where it holds an entry and there is room. */
  keep(namespace: string, slot: Slot<string>, text: string | null): void {
    if (!isFull(slot) || text === null) return
    const bytes = bytesOf(slot.key, text)
    if (!this.recent.admits(slot.key, bytes)) return
    const kept = this.recent.set(slot.key, new Recent(namespace, slot, text), bytes)
    if (!kept) return
    slot.held.isKept = true
    const shelf = this.shelves.get(namespace) ?? new Map<string, Kept<Recent>>()
    this.shelves.set(namespace, shelf.set(slot.id, kept))
  }
}

function isFull(slot: Slot<string>): slot is FullSlot {
  return slot.held.state === 'entry'
}

/** Key, text, header and, once it was parsed, the value; as the near store reckons */
function bytesOf(key: string, text: string): number {
  return 400 + 2 * key.length + 4 * text.length
}
