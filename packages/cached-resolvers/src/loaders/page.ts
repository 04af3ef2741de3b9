export interface ListQuery {
  /** Which list, as the id of an owner or a category; null for the list of all rows */
  list: string | null
}

/** A part of a list. Lists are ordered newest first; a position is the number in an id. */
export interface PageQuery extends ListQuery {
  /** Only items behind this position (older) */
  after: number | null
  /** Only items in front of this position (newer) */
  before: number | null
  size: number
  /** The end of the range from which `size` items are taken */
  from: 'start' | 'end'
}

export interface Page {
  ids: string[]
  hasNext: boolean
  hasPrevious: boolean
}
