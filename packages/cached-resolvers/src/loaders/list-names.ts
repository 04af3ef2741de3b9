import type { ListFilter, ListKey, Page, PageQuery, Range } from './page.js'

/** How the rows of a list can be sorted: by a column that is NOT NULL. Rows with equal values are sorted by id, in the same direction. */
export interface ListSort {
  /** A column of an integer type or, if `collation` is set, of a text type; or `id` */
  column: string
  direction: 'asc' | 'desc'
  /** The name of the collation of a text column, so that the order does not depend on the collation of the database */
  collation?: string
}

/** How the rows of a list can be filtered */
export type ListFilterOptions = ConditionOptions | RangeOptions

/**
 * A condition on a row: its value in `column` is greater than `greaterThan`. A query (see ListFilter) selects either the rows for
 * which the condition is true, or all other rows, including those with null.
 */
export interface ConditionOptions {
  column: string
  greaterThan: number
}

/**
 * Selects the rows whose value in a column is in a range. `bounds`, at most 15 numbers in ascending order, divide the values into
 * bands. When the value of a row changes, a page or count with a range is invalidated only if its range overlaps a band that
 * contains the old or the new value (a value equal to a bound is in two bands). Ranges are cached only if their bounds are among
 * `bounds`: otherwise clients could fill the cache with pages for any number of ranges.
 */
export interface RangeOptions {
  column: string
  bounds: readonly number[]
}

export interface ListVariants {
  sorts?: Readonly<Record<string, ListSort>>
  filters?: Readonly<Record<string, ListFilterOptions>>
}

export const maxBounds = 15

/** What a page or count depends on */
export interface ListDependencies {
  /** The page or count is invalidated when a row of the outbox has one of these names as its `list`. */
  dependencies: string[]
  /**
   * Returns n for a page that has been read: only the first n dependencies can change this page. The property is absent if every page
   * depends on all of them.
   */
  relevantDependencyCount?: (page: unknown) => number
}

/**
 * Returns what a page or count of a list depends on. `list` is the name of the list. cache_list_names() in tables.sql is its counterpart:
 * it returns the SQL by which triggers select the names to invalidate for the changed rows. Only the following names exist, so a list
 * has no more of them than its declaration allows, whatever clients ask for. A name is invalidated if:
 * - `<list>`: rows were inserted into the list, deleted from it, or moved to another list
 * - `<list> by <column>`: the value of this sort column changed in a row of the list
 * - `<list> where <filter>`: a row of the list began or ceased to fulfill this condition
 * - `<list> <filter> <band>`: rows came into this band or left it, because they were inserted, deleted or moved, or their value changed
 * - `<list> by <column> <band>`: as for `<list> <filter> <band>`, or the value of a row changed without leaving the band. These names
 *   replace `<list> by <column>` if a filter with bounds exists on the sort column
 *
 * Bands include both of their bounds, so a value equal to a bound is in two bands. A page that depends on bands does not depend on
 * `<list>`, since a row outside of these bands cannot change the page.
 */
export function dependenciesOf({ sorts = {}, filters = {} }: ListVariants, list: string, query: ListKey): ListDependencies {
  const names: string[] = []
  const sort = 'sort' in query && query.sort !== undefined ? sorts[query.sort] : undefined
  const filterOnSortColumn =
    sort?.column === 'id'
      ? undefined
      : Object.entries(filters).find(([, filter]) => 'bounds' in filter && filter.column === sort?.column)
  let hasBands = filterOnSortColumn !== undefined
  for (const [name, value] of Object.entries(query.filter ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const options = filters[name]
    if (typeof value !== 'object' || !options || !('bounds' in options)) names.push(`${list} where ${name}`)
    else if (name !== filterOnSortColumn?.[0]) {
      names.push(...bandsOf(options.bounds, value).map((band) => `${list} ${name} ${band}`))
      hasBands = true
    }
  }
  if (!hasBands) names.unshift(list)
  if (!filterOnSortColumn) return { dependencies: sort && sort.column !== 'id' ? [...names, `${list} by ${sort.column}`] : names }
  return bandsOfSortedPage(names, list, sort as ListSort, filterOnSortColumn as [string, RangeOptions], query as PageQuery)
}

/**
 * The last dependencies of a sorted page are bands, in reading order. This describes a query with `from: 'start'`; with 'end', swap
 * start and end, and `hasPrevious` and `hasNext`. If an item follows the page (`next`), the page depends only on the bands from the
 * start of the list up to the one that contains this item. Bands before the cursor are included, because their rows decide
 * `hasPrevious`.
 */
function bandsOfSortedPage(
  names: readonly string[],
  list: string,
  { column, direction }: ListSort,
  [filter, { bounds }]: [string, RangeOptions],
  query: PageQuery,
): ListDependencies {
  const range = query.filter?.[filter]
  const bands = bandsOf(bounds, typeof range === 'object' ? range : { min: null, max: null })
  const readsAscending = (direction === 'asc') === (query.from === 'start')
  if (!readsAscending) bands.reverse()
  const dependencies = [...names, ...bands.map((band) => `${list} by ${column} ${band}`)]
  const relevantDependencyCount = (page: unknown) => {
    const { next } = page as Page
    if (next === undefined) return dependencies.length
    // If the value of `next` is a bound, `next` is in two bands. To depend on the one that is read first is enough: every change that
    // can alter the page, of `next` or of a row read before it, invalidates that band or one read before it.
    const bandOfNext = bounds.filter((bound) => (readsAscending ? bound < next : bound <= next)).length
    const bandsRead = bands.filter((band) => (readsAscending ? band <= bandOfNext : band >= bandOfNext))
    // If the value of `next` is the limit of the range where reading starts (`min` when ascending, `max` when descending),
    // `bandOfNext` may lie just outside of the range, and `bandsRead` is then empty. The page then depends on the first band of the range,
    // which contains `next`, too.
    return names.length + Math.max(1, bandsRead.length)
  }
  return { dependencies, relevantDependencyCount }
}

/** Whether a page or count with this filter may be cached: whether the bounds of all ranges are declared. */
export function isCacheable({ filters = {} }: ListVariants, filter: ListFilter | undefined): boolean {
  // This is called for each read of a page, and most pages have no filter.
  if (filter === undefined) return true
  return Object.entries(filter).every(([name, value]) => {
    const options = filters[name]
    if (typeof value !== 'object' || !options || !('bounds' in options)) return true
    return [value.min, value.max].every((bound) => bound === null || options.bounds.includes(bound))
  })
}

/** Returns a text that is equal for equal filters, whatever the order of their properties. */
export function filterText(filter: ListFilter): string {
  return describeFilter(filter, ({ min, max }) => `${min}..${max}`)
}

/** Like filterText(), but with the same text for all ranges. */
export function filterShape(filter: ListFilter = {}): string {
  return describeFilter(filter, () => 'range')
}

function describeFilter(filter: ListFilter, describeRange: (range: Range) => string): string {
  const parts = Object.entries(filter).map(
    ([name, value]) => `${name}=${typeof value === 'object' ? describeRange(value) : value}`,
  )
  return parts.sort().join(',')
}

/**
 * Returns the numbers of the bands that together cover a range, in ascending order. Band 0 is below the first bound. Bands
 * include both of their bounds, so the bands just outside of the range also contain `min` or `max`. They are not returned,
 * because a value that enters or leaves the range enters or leaves a returned band, too. Exception: if `min` and `max` are the
 * same bound, the range is this one value, which is in the band below and in the band above. Both are returned, because a value
 * that leaves the range may remain in one of them and leave only the other.
 */
function bandsOf(bounds: readonly number[], { min, max }: Range): number[] {
  const first = min === null ? 0 : bounds.filter((bound) => bound <= min).length
  const last = max === null ? bounds.length : bounds.filter((bound) => bound < max).length
  // If `min` and `max` are the same bound, `first` is the band above the bound and `last` the band below it.
  const [lower, upper] = [Math.min(first, last), Math.max(first, last)]
  return Array.from({ length: upper - lower + 1 }, (_, index) => lower + index)
}
