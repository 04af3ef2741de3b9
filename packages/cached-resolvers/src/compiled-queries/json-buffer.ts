/** JSON text that is written in order, with placeholders for values that are not available yet. */
export class JsonBuffer {
  text = ''
  private chunks: (string | JsonBuffer)[] | undefined

  /**
   * Reserves the current position for the returned buffer. The text of the returned buffer, which may be written later, appears
   * at that position.
   */
  placeholder(): JsonBuffer {
    const placeholder = new JsonBuffer()
    this.chunks ??= []
    this.chunks.push(this.text, placeholder)
    this.text = ''
    return placeholder
  }

  /** Whether `text` is the whole JSON, because no placeholder was reserved */
  get isComplete(): boolean {
    return this.chunks === undefined
  }

  /** Appends the JSON of another buffer, whose placeholders may still be filled later. */
  append(buffer: JsonBuffer): void {
    if (buffer.isComplete) this.text += buffer.text
    else {
      this.chunks ??= []
      this.chunks.push(this.text, buffer)
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
