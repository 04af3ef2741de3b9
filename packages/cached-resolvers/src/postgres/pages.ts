import type { PendingQuery, Row } from 'postgres'
import { publicId } from '../loaders/ids.js'
import type { Page, PageQuery } from '../loaders/page.js'
import type { Queryable } from './database.js'

export interface PageSource {
  /** The table or subquery to select from, with the alias r */
  rows: Fragment
  /** SQL condition that selects the queries (alias q) which read from this source */
  when: Fragment
}

type Fragment = PendingQuery<Row[]>

/**
 * Fetches any number of pages with one statement. For each page, the statement selects one id more than requested: this id shows
 * whether more items follow. `parameters` are the queries as passed to Postgres, in the order of `queries`.
 */
export async function fetchPages(
  database: Queryable,
  kind: string,
  queries: readonly PageQuery[],
  sources: readonly PageSource[],
  parameters: readonly PageQuery[] = queries,
): Promise<Map<PageQuery, Page>> {
  const branches = sources.flatMap(({ rows, when }) => [
    database`select * from (select id from ${rows} where ${when} and q.counted_from = 'start' and r.id < q.below and r.id > q.above
      order by r.id desc limit q.size + 1) forward`,
    database`select * from (select id from ${rows} where ${when} and q.counted_from = 'end' and r.id < q.below and r.id > q.above
      order by r.id limit q.size + 1) backward`,
  ])
  const exists = (beyond: Fragment) =>
    database`exists (${union(
      database,
      sources.map(({ rows, when }) => database`select 1 from ${rows} where ${when} and ${beyond}`),
    )})`
  const rows = await database<PageRow[]>`
    select array(${union(database, branches)}) as numbers,
      ${exists(database`r.id >= q.below`)} as any_above,
      ${exists(database`r.id <= q.above`)} as any_below
    from unnest(
      ${parameters.map(({ list }) => list)}::text[],
      ${parameters.map(({ after }) => after ?? Number.MAX_SAFE_INTEGER)}::bigint[],
      ${parameters.map(({ before }) => before ?? 0)}::bigint[],
      ${parameters.map(({ size }) => size)}::int[],
      ${parameters.map(({ from }) => from)}::text[]
    ) with ordinality as q (list, below, above, size, counted_from, position)
    order by q.position`
  return new Map(queries.map((query, index) => [query, toPage(kind, query, rows[index] as PageRow)]))
}

function union(database: Queryable, parts: readonly Fragment[]): Fragment {
  return parts.reduce((all, part) => database`${all} union all ${part}`)
}

interface PageRow {
  numbers: (number | string)[]
  any_above: boolean
  any_below: boolean
}

/** Lists are ordered newest first: an item with a greater id number comes before one with a smaller id number. */
function toPage(kind: string, { size, from }: PageQuery, { numbers, any_above, any_below }: PageRow): Page {
  const hasMore = numbers.length > size
  const ids = numbers.slice(0, size).map((number) => publicId(kind, Number(number)))
  return from === 'start'
    ? { ids, hasPrevious: any_above, hasNext: hasMore || any_below }
    : { ids: ids.reverse(), hasPrevious: hasMore || any_above, hasNext: any_below }
}
