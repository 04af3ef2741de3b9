export interface ListQuery {
  /** Which list: of an owner, say, or of a category; null where there is one only */
  list: string | null
}

/** What part of a list is asked for. The newest stands first; a position is the number in an id. */
export interface PageQuery extends ListQuery {
  /** Only what stands behind this position */
  after: number | null
  /** Only what stands in front of this position */
  before: number | null
  size: number
  /** Counted from the beginning of the range, or from its end */
  from: 'start' | 'end'
}

export interface Page {
  ids: string[]
  hasNext: boolean
  hasPrevious: boolean
}
