import { createHash } from 'node:crypto'
import { badUserInput } from './errors.js'

/**
 * A cursor is a position in one list: the number in an id, with a mark of the list it was given for.
 * `list` names the list, whatever its length.
 */
export class Cursors {
  private mark: string | undefined

  constructor(private readonly list: string) {}

  encode(id: string): string {
    return Buffer.from(`${this.markOfList()}:${id.slice(id.lastIndexOf('_') + 1)}`).toString('base64url')
  }

  /** The position. Throws BAD_USER_INPUT for anything that `encode` did not give for this list. */
  decode(cursor: string, argument: string): number {
    const decoded = Buffer.from(cursor, 'base64url')
    const [, cursorMark, position] = decodedCursor.exec(decoded.toString('latin1')) ?? []
    // Node decodes past what is not base64url; encoding again shows it.
    if (position === undefined || decoded.toString('base64url') !== cursor) throw badUserInput(`${argument} is not a cursor`)
    if (cursorMark !== this.markOfList()) throw badUserInput(`${argument} is a cursor of another list`)
    return Number(position)
  }

  /** Made when it is needed: many queries ask for no cursor. */
  private markOfList(): string {
    this.mark ??= createHash('sha256').update(this.list).digest('base64url').slice(0, 8)
    return this.mark
  }
}

const decodedCursor = /^([\w-]{8}):([1-9]\d{0,14})$/
