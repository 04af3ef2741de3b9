/** JSON text that is written in order, with placeholders for values that are not available yet. */
export class JsonBuffer {
  text = ''
  private chunks: (string | JsonBuffer)[] | undefined

  /** Reserves the current position: the returned buffer is written later, and its text appears here. */
  placeholder(): JsonBuffer {
    const placeholder = new JsonBuffer()
    this.chunks ??= []
    this.chunks.push(this.text, placeholder)
    this.text = ''
    return placeholder
  }

  /** Whether `text` is everything: there is no placeholder. */
  get isComplete(): boolean {
    return this.chunks === undefined
  }

  append(other: JsonBuffer): void {
    if (other.isComplete) this.text += other.text
    else {
      this.chunks ??= []
      this.chunks.push(this.text, other)
      this.text = ''
    }
  }

  toString(): string {
    if (!this.chunks) return this.text
    let all = ''
    for (const chunk of this.chunks) all += typeof chunk === 'string' ? chunk : chunk.toString()
    return all + this.text
  }
}
