import type { ListFilter, ListKey, Page, PageQuery, Range } from './page.js'

/** How the rows of a list can be sorted: by a column that is not null, and rows with equal values by id in the same direction */
export interface ListSort {
  /** A column of an integer type or, if `collation` is set, of a text type; or `id` */
  column: string
  direction: 'asc' | 'desc'
  /** The name of the collation of a text column, so that the order does not depend on the collation of the database */
  collation?: string
}

/** How the rows of a list can be filtered */
export type ListFilterOptions = ConditionOptions | RangeOptions

/** Selects the rows whose value in `column` is greater than a number, or the others. Rows with null are among the others. */
export interface ConditionOptions {
  column: string
  greaterThan: number
}

/**
 * Selects the rows whose value in a column is in a range. `bounds`, in ascending order, divide the values into bands. A change of a
 * row invalidates only pages with a range in the band of the old or the new value. Ranges are cached only if their bounds are among
 * `bounds`: otherwise clients could fill the cache with pages for any number of ranges. At most 15 bounds
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
  /** The names in the outbox whose invalidation invalidates the page or count */
  dependencies: string[]
  /**
   * Returns how many of the dependencies, counted from the first one, the page depends on. Only for pages that usually depend on a part
   * of them
   */
  countDependencies?: (page: unknown) => number
}

/**
 * Returns what a page or count of a list depends on. `list` is the name of the list. cache_list_names() in tables.sql returns the names
 * that a changed row invalidates. The number of names has an upper limit that follows from the declaration:
 * - `<list>`: rows were inserted into the list, deleted from it, or moved to another list
 * - `<list> by <column>`: the value of this sort column changed in a row of the list
 * - `<list> where <filter>`: a row of the list fulfills this condition now, or no longer
 * - `<list> <filter> <band>`: rows came into this band or left it, because they were inserted, deleted or moved, or their value changed
 * - `<list> by <column> <band>`: the same, or the value of a row changed within the band. Instead of `<list> by <column>`, if there is a
 *   filter with bounds on the sort column
 *
 * Bands include both of their bounds, so a value equal to a bound is in two bands. A page that depends on bands does not depend on
 * `<list>`, since a row outside of these bands cannot change the page.
 */
export function dependenciesOf({ sorts = {}, filters = {} }: ListVariants, list: string, query: ListKey): ListDependencies {
  const names: string[] = []
  const sort = 'sort' in query && query.sort !== undefined ? sorts[query.sort] : undefined
  const banded = sort && Object.entries(filters).find(([, filter]) => 'bounds' in filter && filter.column === sort.column)
  let hasBands = banded !== undefined
  for (const [name, value] of Object.entries(query.filter ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const options = filters[name]
    if (typeof value !== 'object' || !options || !('bounds' in options)) names.push(`${list} where ${name}`)
    else if (name !== banded?.[0]) {
      names.push(...bandsOf(options.bounds, value).map((band) => `${list} ${name} ${band}`))
      hasBands = true
    }
  }
  if (!hasBands) names.unshift(list)
  if (!banded) return { dependencies: sort && sort.column !== 'id' ? [...names, `${list} by ${sort.column}`] : names }
  return bandsOfSortedPage(names, list, sort as ListSort, banded as [string, RangeOptions], query as PageQuery)
}

/**
 * The bands of a sorted page are the last dependencies, in the order in which the page is read. If an item follows the page, the page
 * depends on the bands up to this item: they include all rows before the page, which decide whether it has a previous page.
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
  const isAscending = (direction === 'asc') === (query.from === 'start')
  if (!isAscending) bands.reverse()
  const dependencies = [...names, ...bands.map((band) => `${list} by ${column} ${band}`)]
  const countDependencies = (page: unknown) => {
    const { next } = page as Page
    if (typeof next !== 'number') return dependencies.length
    const below = bounds.filter((bound) => (isAscending ? bound < next : bound <= next)).length
    const read = bands.filter((band) => (isAscending ? band <= below : band >= below))
    // The band below the range is not among the bands, if the item has the lowest value of the range (or the highest one).
    return names.length + Math.max(1, read.length)
  }
  return { dependencies, countDependencies }
}

/** Whether a page or count with this filter may be cached: whether the bounds of all ranges are declared. */
export function isCacheable({ filters = {} }: ListVariants, filter: ListFilter | undefined): boolean {
  return Object.entries(filter ?? {}).every(([name, value]) => {
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
 * Returns the numbers of the bands that the values of a range are in. Band 0 is below the first bound. If `min` and `max` are the same
 * bound, a value leaves the range when it leaves either of the two bands at the bound.
 */
function bandsOf(bounds: readonly number[], { min, max }: Range): number[] {
  const first = min === null ? 0 : bounds.filter((bound) => bound <= min).length
  const last = max === null ? bounds.length : bounds.filter((bound) => bound < max).length
  const [lower, upper] = [Math.min(first, last), Math.max(first, last)]
  return Array.from({ length: upper - lower + 1 }, (_, index) => lower + index)
}
