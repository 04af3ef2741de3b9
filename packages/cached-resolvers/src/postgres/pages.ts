import type { PendingQuery, Row } from 'postgres'
import { publicId } from '../loaders/ids.js'
import { type ConditionOptions, filterShape, type ListSort, type ListVariants, type RangeOptions } from '../loaders/list-names.js'
import type { ListFilter, ListQuery, Page, PageQuery, Range, SortValue } from '../loaders/page.js'
import type { Queryable } from './database.js'

/** Where the rows of a list come from. In the SQL, q is a row with the parameters of one PageQuery or ListQuery. */
export interface PageSource {
  /** A table or subquery with the alias r: the rows of the list q.list. A subquery may refer to q. */
  rows: Fragment
  /**
   * SQL condition: whether the query q reads from this source. May refer only to q, and must be true of exactly one source for each
   * query.
   */
  when: Fragment
}

export interface PagesOptions {
  kind: string
  sources: readonly PageSource[]
  variants: ListVariants
  /**
   * Converts the `list` of a query to the value of q.list. For lists that are identified by an id, returns its number as text ("1" for
   * "user_1"; "0", which no row has, if it is not such an id). Otherwise returns `list` unchanged. null remains null.
   */
  toKeyText: (list: string | null) => string | null
}

type Fragment = PendingQuery<Row[]>

/**
 * Fetches any number of pages. One statement reads all pages that have the same sort, the same filter (except for the bounds of
 * ranges), and the same presence of `afterValue` and of `beforeValue`. For each page, the statement selects one id more than
 * requested: this id shows whether more items follow.
 */
export async function fetchPages(
  database: Queryable,
  options: PagesOptions,
  queries: readonly PageQuery[],
): Promise<Map<PageQuery, Page>> {
  const pages = new Map<PageQuery, Page>()
  // One statement after another: a request must not occupy several connections.
  for (const group of groupBy(queries, shapeOf))
    for (const [query, page] of await fetchGroup(database, options, group)) pages.set(query, page)
  return pages
}

/** Returns a text that is equal for queries that one statement can answer. */
function shapeOf({ sort, filter, afterValue, beforeValue }: PageQuery): string {
  return [sort, filterShape(filter), afterValue !== undefined, beforeValue !== undefined].join('|')
}

async function fetchGroup(
  database: Queryable,
  { kind, sources, variants, toKeyText }: PagesOptions,
  queries: readonly [PageQuery, ...PageQuery[]],
): Promise<[PageQuery, Page][]> {
  const [{ sort, filter }] = queries
  const order = orderOf(database, sort === undefined ? undefined : variants.sorts?.[sort], queries)
  const matches = matchesFilter(database, variants, filter)
  const branches = sources.flatMap(({ rows, when }) => [
    database`select * from (select ${order.item} as item from ${rows} where ${when} and q.page_from = 'start' and ${order.isBetween}
      ${matches} order by ${order.by} limit q.size + 1) forward`,
    database`select * from (select ${order.item} as item from ${rows} where ${when} and q.page_from = 'end' and ${order.isBetween}
      ${matches} order by ${order.byReversed} limit q.size + 1) backward`,
  ])
  const exists = (condition: Fragment) =>
    database`exists (${union(
      database,
      sources.map(({ rows, when }) => database`select 1 from ${rows} where ${when} and ${condition} ${matches}`),
    )})`
  const rows = await database<PageRow[]>`
    select array(${union(database, branches)}) as items, ${exists(order.isSkippedAtStart)} as any_before, ${exists(order.isSkippedAtEnd)} as any_after
    from unnest(
      ${queries.map(({ list }) => toKeyText(list))}::text[],
      ${queries.map(({ after }) => after ?? order.beforeFirstId)}::bigint[],
      ${queries.map(({ before }) => before ?? order.afterLastId)}::bigint[],
      ${queries.map(({ afterValue }) => textOf(afterValue))}::text[],
      ${queries.map(({ beforeValue }) => textOf(beforeValue))}::text[],
      ${queries.map(({ size }) => size)}::int[],
      ${queries.map(({ from }) => from)}::text[]
      ${rangeParameters(database, queries)}
    ) with ordinality as q (list, after_id, before_id, after_value, before_value, size, page_from ${rangeNames(database, filter)}, position)
    order by q.position`
  return queries.map((query, index) => [query, toPage(kind, query, rows[index] as PageRow)])
}

/** Counts the rows of any number of lists, with one statement for each combination of filters. */
export async function fetchCounts(
  database: Queryable,
  { sources, variants, toKeyText }: PagesOptions,
  queries: readonly ListQuery[],
): Promise<Map<ListQuery, number>> {
  const counts = new Map<ListQuery, number>()
  for (const group of groupBy(queries, ({ filter }) => filterShape(filter))) {
    const [{ filter }] = group
    const matches = matchesFilter(database, variants, filter)
    const ofSources = sources.map(({ rows, when }) => database`(select count(*) from ${rows} where ${when} ${matches})`)
    const rows = await database<{ count: number }[]>`
      select (${ofSources.reduce((sum, part) => database`${sum} + ${part}`)})::int as count
      from unnest(${group.map(({ list }) => toKeyText(list))}::text[] ${rangeParameters(database, group)})
        with ordinality as q (list ${rangeNames(database, filter)}, position)
      order by q.position`
    for (const [index, query] of group.entries()) counts.set(query, rows[index]?.count ?? 0)
  }
  return counts
}

/** SQL about the order of a list */
interface Order {
  /** What is selected from each row: the id or, if the list is sorted by another column, a JSON array of the id and that column's value */
  item: Fragment
  by: Fragment
  byReversed: Fragment
  /** Whether r is after the position `after` and before the position `before` */
  isBetween: Fragment
  /** Whether r does not follow the position `after`, which excludes it from the page; false without `after` */
  isSkippedAtStart: Fragment
  /** Whether r does not precede the position `before`, which excludes it from the page; false without `before` */
  isSkippedAtEnd: Fragment
  /** An id number that precedes all ids in the order of the list, for queries without `after` */
  beforeFirstId: number
  /** An id number that follows all ids in the order of the list, for queries without `before` */
  afterLastId: number
}

function orderOf(database: Queryable, sort: ListSort | undefined, [query]: readonly [PageQuery, ...PageQuery[]]): Order {
  const { column, direction, collation } = sort ?? newestFirst
  const isAscending = direction === 'asc'
  const [beforeFirstId, afterLastId] = isAscending ? [0, Number.MAX_SAFE_INTEGER] : [Number.MAX_SAFE_INTEGER, 0]
  const [along, reversed] = isAscending ? [database`asc`, database`desc`] : [database`desc`, database`asc`]
  const [follows, precedes] = isAscending ? [database`>`, database`<`] : [database`<`, database`>`]
  // Postgres would not use an index for "not (price, id) > (500, 7)".
  const [doesNotFollow, doesNotPrecede] = isAscending ? [database`<=`, database`>=`] : [database`>=`, database`<=`]
  if (column === 'id')
    return {
      item: database`r.id`,
      by: database`r.id ${along}`,
      byReversed: database`r.id ${reversed}`,
      isBetween: database`r.id ${follows} q.after_id and r.id ${precedes} q.before_id`,
      isSkippedAtStart: database`r.id ${doesNotFollow} q.after_id`,
      isSkippedAtEnd: database`r.id ${doesNotPrecede} q.before_id`,
      beforeFirstId,
      afterLastId,
    }
  const value = database`r.${database(column)}${collation === undefined ? database`` : database` collate ${database(collation)}`}`
  // Comparisons of rows, such as (price, id) > (500, 7), can use an index on both columns.
  const key = database`(${value}, r.id)`
  // `sample`, a value of the first query, is used only to find out the type of the column, which is the same for all queries of a group.
  const positionOf = (name: 'after' | 'before', sample: SortValue) => {
    const text = database`q.${database(`${name}_value`)}`
    return database`(${typeof sample === 'number' ? database`${text}::bigint` : text}, q.${database(`${name}_id`)})`
  }
  const { afterValue, beforeValue } = query
  const after = afterValue === undefined ? undefined : positionOf('after', afterValue)
  const before = beforeValue === undefined ? undefined : positionOf('before', beforeValue)
  const compare = (operator: Fragment, position: Fragment | undefined, otherwise: boolean) =>
    position ? database`${key} ${operator} ${position}` : otherwise ? database`true` : database`false`
  return {
    item: database`json_build_array(r.id, r.${database(column)})`,
    by: database`${value} ${along}, r.id ${along}`,
    byReversed: database`${value} ${reversed}, r.id ${reversed}`,
    isBetween: database`${compare(follows, after, true)} and ${compare(precedes, before, true)}`,
    isSkippedAtStart: compare(doesNotFollow, after, false),
    isSkippedAtEnd: compare(doesNotPrecede, before, false),
    beforeFirstId,
    afterLastId,
  }
}

const newestFirst: ListSort = { column: 'id', direction: 'desc' }

/** Returns SQL, beginning with `and`, that is true if the row r is selected by the filter of q. */
function matchesFilter(database: Queryable, { filters = {} }: ListVariants, filter: ListFilter = {}): Fragment {
  const parts = Object.entries(filter).map(([name, value]) => {
    if (typeof value === 'object') {
      const column = database`r.${database((filters[name] as RangeOptions).column)}`
      return database` and ${column} >= q.${database(`min_${name}`)} and ${column} <= q.${database(`max_${name}`)}`
    }
    const { column, greaterThan } = filters[name] as ConditionOptions
    return database` and (r.${database(column)} > ${greaterThan}::bigint) is ${value ? database`true` : database`not true`}`
  })
  return parts.reduce((all, part) => database`${all}${part}`, database``)
}

/** Returns SQL with the names of the columns of q that contain the bounds of ranges, each with a comma before it: `, min_price, max_price`. */
function rangeNames(database: Queryable, filter: ListFilter | undefined): Fragment {
  return rangesIn(filter).reduce(
    (all, name) => database`${all}, ${database(`min_${name}`)}, ${database(`max_${name}`)}`,
    database``,
  )
}

function rangeParameters(database: Queryable, queries: readonly ListQuery[]): Fragment {
  return rangesIn(queries[0]?.filter).reduce((all, name) => {
    const ranges = queries.map(({ filter }) => filter?.[name] as Range)
    const minima = ranges.map(({ min }) => min ?? Number.MIN_SAFE_INTEGER)
    const maxima = ranges.map(({ max }) => max ?? Number.MAX_SAFE_INTEGER)
    return database`${all}, ${minima}::bigint[], ${maxima}::bigint[]`
  }, database``)
}

function rangesIn(filter: ListFilter = {}): string[] {
  return Object.keys(filter).filter((name) => typeof filter[name] === 'object')
}

function textOf(value: SortValue | undefined): string | null {
  return value === undefined ? null : String(value)
}

function union(database: Queryable, parts: readonly Fragment[]): Fragment {
  return parts.reduce((all, part) => database`${all} union all ${part}`)
}

/** Groups the queries for which `groupNameOf` returns the same text. */
function groupBy<Query>(queries: readonly Query[], groupNameOf: (query: Query) => string): [Query, ...Query[]][] {
  const groups = new Map<string, [Query, ...Query[]]>()
  for (const query of queries) {
    const name = groupNameOf(query)
    const group = groups.get(name)
    if (group) group.push(query)
    else groups.set(name, [query])
  }
  return [...groups.values()]
}

interface PageRow {
  items: (number | string | [number, SortValue])[]
  any_before: boolean
  any_after: boolean
}

function toPage(kind: string, { size, from }: PageQuery, { items, any_before, any_after }: PageRow): Page {
  const hasMore = items.length > size
  const selected = items.slice(0, size)
  if (from === 'end') selected.reverse()
  const ids = selected.map((item) => publicId(kind, Number(Array.isArray(item) ? item[0] : item)))
  const values = selected.flatMap((item) => (Array.isArray(item) ? [item[1]] : []))
  const others =
    from === 'start'
      ? { hasPrevious: any_before, hasNext: hasMore || any_after }
      : { hasPrevious: hasMore || any_before, hasNext: any_after }
  const nextItem = items[size]
  return {
    ids,
    ...(values.length > 0 && { values }),
    ...(Array.isArray(nextItem) && typeof nextItem[1] === 'number' && { next: nextItem[1] }),
    ...others,
  }
}
