/** Text that is being written, with holes for what is not there yet. */
export class Text {
  text = ''
  private pieces: (string | Text)[] | undefined

  /** Is written later, and stands here. */
  hole(): Text {
    const hole = new Text()
    this.pieces ??= []
    this.pieces.push(this.text, hole)
    this.text = ''
    return hole
  }

  /** Whether nothing is missing of it. */
  get isWhole(): boolean {
    return this.pieces === undefined
  }

  add(other: Text): void {
    if (other.isWhole) this.text += other.text
    else {
      this.pieces ??= []
      this.pieces.push(this.text, other)
      this.text = ''
    }
  }

  toString(): string {
    if (!this.pieces) return this.text
    let all = ''
    for (const piece of this.pieces) all += typeof piece === 'string' ? piece : piece.toString()
    return all + this.text
  }
}

/** Writes a value that is there. Throws for whatever the ordinary execution has to see to. */
export type Write = (value: unknown, text: Text, run: Run) => void

/** One execution of a compiled query. */
export class Run {
  private pending = 0
  private failure: { error: unknown } | undefined
  private settle: { resolve: (text: string) => void; reject: (error: unknown) => void } | undefined
  private readonly answer = new Text()

  constructor(
    readonly variables: Readonly<Record<string, unknown>>,
    readonly context: unknown,
  ) {}

  /** The text, at once where nothing has to be waited for. */
  start(write: Write): string | Promise<string> {
    write(undefined, this.answer, this)
    if (this.failure) throw this.failure.error
    if (this.pending === 0) return this.answer.toString()
    return new Promise((resolve, reject) => {
      this.settle = { resolve, reject }
    })
  }

  /** Goes on without it. */
  writeLater(value: PromiseLike<unknown>, text: Text, write: Write): void {
    const hole = text.hole()
    this.pending += 1
    value.then((its) => this.fill(its, hole, write), this.fail)
  }

  /** Not every thenable waits for the end of start(). */
  private readonly fail = (error: unknown): void => {
    this.failure ??= { error }
    this.settle?.reject(error)
  }

  private fill(value: unknown, hole: Text, write: Write): void {
    try {
      write(value, hole, this)
      this.pending -= 1
      if (this.pending === 0) this.settle?.resolve(this.answer.toString())
    } catch (error) {
      this.fail(error)
    }
  }
}
