import { createHash } from 'node:crypto'
import type { Page, SortValue } from 'cached-resolvers'
import { badUserInput } from './errors.js'

/** A position in a list: the number in an item's id and, in a list sorted by a column, the value of the column */
export interface Position {
  id: number
  value?: SortValue
}

/**
 * Converts positions in one list to cursors and back. A cursor begins with a hash of the list, its sort and its filter, so that a
 * cursor of another list is rejected.
 */
export class Cursors {
  private scopeHash: string | undefined

  /**
   * `scope` is a text of any length that differs between lists. `valueType` is the type of the values of the column that the list is
   * sorted by, if any.
   */
  constructor(
    private readonly scope: string,
    private readonly valueType?: 'number' | 'string',
  ) {}

  /** Returns the cursor of the item at an index of a page. */
  encode({ ids, values }: Pick<Page, 'ids' | 'values'>, index: number): string {
    const id = ids[index] as string
    const value = values ? `:${JSON.stringify(values[index])}` : ''
    return Buffer.from(`${this.hashOfScope()}:${id.slice(id.lastIndexOf('_') + 1)}${value}`).toString('base64url')
  }

  /** Returns the position. Throws BAD_USER_INPUT for anything that `encode` did not return for this list. */
  decode(cursor: string, argument: string): Position {
    const decoded = Buffer.from(cursor, 'base64url')
    const [, cursorHash, id, json] = decodedCursor.exec(decoded.toString()) ?? []
    // Node ignores characters that are not base64url. In that case, encoding the decoded text does not return the cursor.
    if (id === undefined || decoded.toString('base64url') !== cursor) throw badUserInput(`${argument} is not a cursor`)
    if (cursorHash !== this.hashOfScope()) throw badUserInput(`${argument} is a cursor of another list`)
    const value = json === undefined ? undefined : parseValue(json)
    const type = value === undefined ? undefined : typeof value
    if (type !== this.valueType || (json !== undefined && value === undefined)) throw badUserInput(`${argument} is not a cursor`)
    return value === undefined ? { id: Number(id) } : { id: Number(id), value }
  }

  /** Computed on first use: many queries select no cursor. */
  private hashOfScope(): string {
    this.scopeHash ??= createHash('sha256').update(this.scope).digest('base64url').slice(0, 8)
    return this.scopeHash
  }
}

/** Returns undefined for a text that is not the JSON of a value that Postgres accepts. */
function parseValue(json: string): SortValue | undefined {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined
    return typeof value === 'string' && !value.includes('\u0000') && value.isWellFormed() ? value : undefined
  } catch {
    return undefined
  }
}

const decodedCursor = /^([\w-]{8}):([1-9]\d{0,14})(?::(.*))?$/s
