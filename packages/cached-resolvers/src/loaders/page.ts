export interface ListQuery {
  /** Identifies the list, such as the id of an owner or a category; null is the list of all rows */
  list: string | null
}

/** Selects a part of a list. Lists are ordered newest first. A position in a list is the number in an item's id. */
export interface PageQuery extends ListQuery {
  /** Select only items after this position (older items); null: no bound */
  after: number | null
  /** Select only items before this position (newer items); null: no bound */
  before: number | null
  size: number
  /** Whether to take `size` items from the start or from the end of the range between `after` and `before` */
  from: 'start' | 'end'
}

export interface Page {
  ids: string[]
  hasNext: boolean
  hasPrevious: boolean
}
