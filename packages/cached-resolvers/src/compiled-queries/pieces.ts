import { Text, type Write } from './answer.js'

/** A place on every object that comes in many answers: plain data that nobody changes. */
export interface Notes {
  /** null where nothing is noted yet; undefined for an object that has no such place. */
  get(value: object): unknown
  set(value: object, note: unknown): void
}

export interface PiecesOptions {
  notes: Notes
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
  /** Of the same object, with another selection */
  next: Piece | null
  /** How many come after it */
  others: number
}

/** Remembers what was written of objects that come again and again. */
export class Pieces {
  private readonly shapes = new Map<string, Shape>()
  private length = 0

  constructor(private readonly options: PiecesOptions) {}

  /** What is written must follow from the object and the shape alone: selections of one shape, in whatever documents, share it. */
  remember(typeName: string, fields: string, write: Write): Write {
    const name = `${typeName} ${fields}`
    const { notes } = this.options
    let shape = forgotten
    return (value, text, run) => {
      // The root of a query is no object.
      const first = typeof value === 'object' && value !== null ? (notes.get(value) as Piece | null | undefined) : undefined
      if (first === undefined) return write(value, text, run)
      if (shape.isForgotten) shape = this.find(name)
      const known = textOf(first, shape)
      if (known !== undefined) {
        text.text += known
        return
      }
      const piece = new Text()
      write(value, piece, run)
      text.add(piece)
      // What is not all there yet could not be written at once the next time either.
      if (piece.isWhole) this.note(value as object, shape, flat(piece.text))
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

  private note(value: object, shape: Shape, text: string): void {
    const first = this.options.notes.get(value) as Piece | null
    // All are forgotten at one time.
    const others = first?.shape.isForgotten ? null : first
    const next = others && others.others < maxOthers ? others : null
    if (!next) this.uncount(others)
    this.options.notes.set(value, { shape, text, next, others: next ? next.others + 1 : 0 } satisfies Piece)
    this.count(text.length)
  }

  /** What gave way to others is no reason to forget everything. */
  private uncount(first: Piece | null): void {
    for (let piece = first; piece; piece = piece.next) this.length -= lengthOfRest + piece.text.length
  }

  private count(length: number): void {
    this.length += lengthOfRest + length
    if (this.length <= this.options.maxLength) return
    for (const shape of this.shapes.values()) shape.isForgotten = true
    this.shapes.clear()
    this.length = 0
  }
}

function textOf(first: Piece | null, shape: Shape): string | undefined {
  for (let piece = first; piece; piece = piece.next) if (piece.shape === shape) return piece.text
  return undefined
}

/** V8 keeps what was added together as a tree of its parts, which would be walked whenever an answer with this piece is sent. */
function flat(text: string): string {
  return Buffer.from(text).toString()
}

const forgotten: Shape = { isForgotten: true }

/** What holds a text, in characters */
const lengthOfRest = 64
/** They are looked through one by one. */
const maxOthers = 15
