import { Text, type Write } from './answer.js'

export interface PiecesOptions {
  /** Names of types whose objects come in many answers: plain data that nobody changes. All others are written anew each time. */
  sharedTypes: readonly string[]
  /** Characters of all that is remembered; then it is forgotten, and remembered anew. */
  maxLength: number
}

/** What was written of objects, in one shape */
interface Written {
  isForgotten: boolean
  texts: WeakMap<object, string>
}

/** Remembers what was written of objects that come again and again. */
export class Pieces {
  private readonly sharedTypes: ReadonlySet<string>
  private readonly byShape = new Map<string, Written>()
  private length = 0

  constructor(private readonly options: PiecesOptions) {
    this.sharedTypes = new Set(options.sharedTypes)
  }

  /** What is written must follow from the object and the shape alone: selections of one shape, in whatever documents, share it. */
  remember(typeName: string, fields: string, write: Write): Write {
    if (!this.sharedTypes.has(typeName)) return write
    const shape = `${typeName} ${fields}`
    let written = forgotten
    return (value, text, run) => {
      if (written.isForgotten) written = this.find(shape)
      const known = written.texts.get(value as object)
      if (known !== undefined) {
        text.text += known
        return
      }
      const piece = new Text()
      write(value, piece, run)
      text.add(piece)
      // What is not all there yet could not be written at once the next time either.
      if (!piece.isWhole) return
      written.texts.set(value as object, flat(piece.text))
      this.count(piece.text.length)
    }
  }

  private find(shape: string): Written {
    const known = this.byShape.get(shape)
    if (known) return known
    const written: Written = { isForgotten: false, texts: new WeakMap() }
    this.byShape.set(shape, written)
    this.count(shape.length)
    return written
  }

  private count(length: number): void {
    this.length += lengthOfRest + length
    if (this.length <= this.options.maxLength) return
    for (const written of this.byShape.values()) written.isForgotten = true
    this.byShape.clear()
    this.length = 0
  }
}

/** V8 keeps what was added together as a tree of its parts, which would be walked whenever an answer with this piece is sent. */
function flat(text: string): string {
  return Buffer.from(text).toString()
}

const forgotten: Written = { isForgotten: true, texts: new WeakMap() }

/** What holds a text, in characters */
const lengthOfRest = 64
