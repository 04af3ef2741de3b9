import { ClockMap, type ClockMapOptions } from './clock-map.js'
import { decodeHeld, type EntryHeld } from './entry.js'
import type { Slot, Under } from './slot.js'

interface Recent {
  text: string
  slot: Slot<string>
}

/**
 * Slots as they were read last, for as long as the store gives the same texts: comparing these is cheaper than decoding and parsing
 * them. Nothing is answered that the store did not just give. Values are shared between requests: nobody may change them.
 */
export class RecentSlots {
  private readonly recent: ClockMap<Recent>

  constructor(options: Pick<ClockMapOptions<Recent>, 'maxBytes' | 'random'>) {
    this.recent = new ClockMap(options)
  }

  slotOf(id: string, key: string, text: string | null, under: Under): Slot<string> {
    const known = this.recent.get(key)
    const isSame = known !== undefined && known.text === text
    if (isSame && known.slot.generations === under.generations) return known.slot
    const held = isSame ? known.slot.held : decodeHeld(text)
    const slot = { id, key, generation: under.generation, generations: under.generations, held, near: false }
    if (held.state === 'entry') this.keep(slot, held, text as string)
    return slot
  }

  private keep(slot: Slot<string>, held: EntryHeld, text: string): void {
    const bytes = bytesOf(slot.key, text)
    if (!this.recent.admits(slot.key, bytes)) return
    held.isKept = true
    this.recent.set(slot.key, { text, slot }, bytes)
  }
}

/** Key, text, header and, once it was parsed, the value; as the near store reckons */
function bytesOf(key: string, text: string): number {
  return 400 + 2 * key.length + 4 * text.length
}
