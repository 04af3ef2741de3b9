import { Text, type Write } from './answer.js'

export interface PiecesOptions {
  /** Where to note what was written of an object that comes in many answers, plain data that nobody changes; undefined for any other. */
  notesOf: (value: object) => unknown[] | undefined
  /** Characters of all that is remembered; then it is forgotten, and remembered anew. */
  maxLength: number
}

/** Objects of one type, with one selection */
interface Shape {
  isForgotten: boolean
}

/** What was written of an object */
interface Piece {
  shape: Shape
  text: string
}

/** Remembers what was written of objects that come again and again. */
export class Pieces {
  private readonly shapes = new Map<string, Shape>()
  private length = 0

  constructor(private readonly options: PiecesOptions) {}

  /** What is written must follow from the object and the shape alone: selections of one shape, in whatever documents, share it. */
  remember(typeName: string, fields: string, write: Write): Write {
    const name = `${typeName} ${fields}`
    let shape = forgotten
    return (value, text, run) => {
      // The root of a query is no object.
      const pieces =
        typeof value === 'object' && value !== null ? (this.options.notesOf(value) as Piece[] | undefined) : undefined
      if (!pieces) return write(value, text, run)
      if (shape.isForgotten) shape = this.find(name)
      const known = textIn(pieces, shape)
      if (known !== undefined) {
        text.text += known
        return
      }
      const piece = new Text()
      write(value, piece, run)
      text.add(piece)
      // What is not all there yet could not be written at once the next time either.
      if (piece.isWhole) this.note(pieces, { shape, text: flat(piece.text) })
    }
  }

  private find(name: string): Shape {
    const known = this.shapes.get(name)
    if (known) return known
    const shape: Shape = { isForgotten: false }
    this.shapes.set(name, shape)
    this.count(name.length)
    return shape
  }

  private note(pieces: Piece[], piece: Piece): void {
    // In the place of one that is forgotten, if there is any.
    const index = pieces.findIndex(({ shape }) => shape.isForgotten)
    pieces[index === -1 ? pieces.length : index] = piece
    this.count(piece.text.length)
  }

  private count(length: number): void {
    this.length += lengthOfRest + length
    if (this.length <= this.options.maxLength) return
    for (const shape of this.shapes.values()) shape.isForgotten = true
    this.shapes.clear()
    this.length = 0
  }
}

function textIn(pieces: readonly Piece[], shape: Shape): string | undefined {
  for (const piece of pieces) if (piece.shape === shape) return piece.text
  return undefined
}

/** V8 keeps what was added together as a tree of its parts, which would be walked whenever an answer with this piece is sent. */
function flat(text: string): string {
  return Buffer.from(text).toString()
}

const forgotten: Shape = { isForgotten: true }

/** What holds a text, in characters */
const lengthOfRest = 64
