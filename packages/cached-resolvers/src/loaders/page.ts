/** Which rows of a list to select: for each declared condition whether it must hold, and for each declared range its bounds */
export type ListFilter = Readonly<Record<string, boolean | Range>>

/** A range of values, including `min` and `max`; null: no bound */
export interface Range {
  readonly min: number | null
  readonly max: number | null
}

export interface ListQuery {
  /** Identifies the list, such as the id of an owner or a category; null is the list of all rows */
  list: string | null
  /** Selects a part of the rows of the list. Default: all rows */
  filter?: ListFilter
}

/**
 * Selects a part of a list. A position in a list consists of the value of the sort column, if there is one, and the number in the
 * item's id.
 */
export interface PageQuery extends ListQuery {
  /** The name of a declared sort. Default: newest first, so that an item with a greater id number comes first */
  sort?: string
  /** Select only items after this position; null: no bound */
  after: number | null
  /** Select only items before this position; null: no bound */
  before: number | null
  /** The value of the sort column at `after`. Required if both `sort` and `after` are given and the sort has a column */
  afterValue?: SortValue
  /** The value of the sort column at `before` */
  beforeValue?: SortValue
  size: number
  /** Whether to take `size` items from the start or from the end of the range between `after` and `before` */
  from: 'start' | 'end'
}

/** Selects the number of items of a list */
export type CountQuery = ListQuery & { count: true }

/** What a list is asked for: a page or the number of items */
export type ListKey = PageQuery | CountQuery

export type SortValue = string | number

export interface Page {
  ids: string[]
  /** The values of the sort column, in the order of `ids`. Only in a list sorted by a column */
  values?: SortValue[]
  /**
   * The value of the sort column in the item that follows the page, in the direction of the query. Undefined if there is none, or if the
   * column contains text
   */
  next?: number
  hasNext: boolean
  hasPrevious: boolean
}
