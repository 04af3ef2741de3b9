import { createHash } from 'node:crypto'
import { badUserInput } from './errors.js'

/**
 * A cursor is a position in one list. It contains the number from an id, prefixed with a hash of the list's name, so that a cursor
 * of another list is rejected. The name may have any length.
 */
export class Cursors {
  private listHash: string | undefined

  constructor(private readonly listName: string) {}

  encode(id: string): string {
    return Buffer.from(`${this.hashOfList()}:${id.slice(id.lastIndexOf('_') + 1)}`).toString('base64url')
  }

  /** Returns the position. Throws BAD_USER_INPUT for anything that `encode` did not return for this list. */
  decode(cursor: string, argument: string): number {
    const decoded = Buffer.from(cursor, 'base64url')
    const [, cursorHash, position] = decodedCursor.exec(decoded.toString('latin1')) ?? []
    // Node ignores characters that are not base64url. In that case, encoding the decoded text does not return the cursor.
    if (position === undefined || decoded.toString('base64url') !== cursor) throw badUserInput(`${argument} is not a cursor`)
    if (cursorHash !== this.hashOfList()) throw badUserInput(`${argument} is a cursor of another list`)
    return Number(position)
  }

  /** Computed on first use: many queries select no cursor. */
  private hashOfList(): string {
    this.listHash ??= createHash('sha256').update(this.listName).digest('base64url').slice(0, 8)
    return this.listHash
  }
}

const decodedCursor = /^([\w-]{8}):([1-9]\d{0,14})$/
