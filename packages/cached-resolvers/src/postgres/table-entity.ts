import type { Row } from 'postgres'
import { defineEntity, type Entity, type Freshness, type ListOptions } from '../loaders/entity.js'
import { idNumber, publicId } from '../loaders/ids.js'
import type { EntityTracking, ListTracking } from '../loaders/invalidation-rules.js'
import type { Queryable } from './database.js'
import { fetchCounts, fetchPages, type PageSource, type PagesOptions } from './pages.js'

export interface TableEntityOptions<R extends Row, V, Lists extends string>
  extends Omit<EntityTracking, 'name' | 'kind' | 'table'> {
  /** Name of a table with an integer column `id`; also the name of the namespace */
  table: string
  kind: string
  version?: number
  fresh: Freshness
  /** Converts a row to a value. `id` is the public id of the row, as in `product_7`. */
  toValue: (row: R, id: string) => V
  /** Lists of the rows by loader name, newest first unless a page is requested with one of the declared sorts */
  lists?: Readonly<Record<Lists, TableListOptions>>
}

/**
 * Lists of the rows of a table, one for each value of the column `key`. The column contains text, or the numbers of ids if
 * `keyKind` is set. Needs an index on this column and `id`, and for each sort an index on this column, the sort column and `id`.
 */
export interface TableListOptions extends ListTracking {
  /** Name of the namespace of the list in the cache. Omit it for a list that is not cached */
  name?: string
  version?: number
  fresh?: Freshness
}

/**
 * Declares an entity whose values are the rows of a table. The engine derives the SQL statements that read values by id, pages,
 * counts and ids for the warm-up.
 */
export function defineTableEntity<R extends Row, V extends { id: string }, Lists extends string = never>(
  options: TableEntityOptions<R, V, Lists>,
): Entity<V, Queryable, Lists> {
  const { table, kind, toValue, lists, ...others } = options
  return defineEntity<V, Queryable, Lists>({
    ...others,
    name: table,
    table,
    kind,
    async fetch(database, ids) {
      const numbers = ids.flatMap((id) => idNumber(kind, id) ?? [])
      const rows = await database<(R & { id: number })[]>`select * from ${database(table)} where id = any(${numbers}::bigint[])`
      return new Map(rows.map((row) => [publicId(kind, row.id), toValue(row, publicId(kind, row.id))]))
    },
    newest: newestOf(table, kind),
    lists: Object.fromEntries(
      Object.entries<TableListOptions>(lists ?? {}).map(([loader, list]) => [loader, tableList(table, kind, list)]),
    ) as Record<Lists, ListOptions<Queryable>>,
  })
}

/** Returns the `newest` option of an entity: a function that reads the ids of the newest rows of a table. */
export function newestOf(table: string, kind: string) {
  return async (database: Queryable, limit: number): Promise<string[]> => {
    const rows = await database<{ id: number }[]>`select id from ${database(table)} order by id desc limit ${limit}`
    return rows.map(({ id }) => publicId(kind, id))
  }
}

/** Returns the options of a list of table rows, for an entity whose values need more than the row of the table. */
export function tableList(table: string, kind: string, list: TableListOptions): ListOptions<Queryable> {
  const { key, keyKind, withAll = key === undefined, sorts = {}, filters = {} } = list
  const optionsFor = (database: Queryable): PagesOptions => {
    const rows = database(table)
    const sources: PageSource[] = []
    // Separate sources let each use its own index: Postgres evaluates a condition on q alone once per query, not per row.
    if (withAll) sources.push({ rows: database`${rows} r`, when: database`q.list is null` })
    if (key !== undefined) {
      const keyText = keyKind === undefined ? database`q.list` : database`q.list::bigint`
      sources.push({
        rows: database`(select * from ${rows} where ${database(key)} = ${keyText}) r`,
        when: database`q.list is not null`,
      })
    }
    return { kind, sources, variants: { sorts, filters }, toKeyText }
  }
  return {
    ...list,
    pages: (database, queries) => fetchPages(database, optionsFor(database), queries),
    counts: (database, queries) => fetchCounts(database, optionsFor(database), queries),
    async newest(database, limit) {
      if (key === undefined) return [null]
      const rows = await database<{ key: number | string }[]>`
        select ${database(key)} as key from ${database(table)} where ${database(key)} is not null
        group by 1 order by max(id) desc limit ${withAll ? limit - 1 : limit}`
      const keyValues = rows.map((row) => (keyKind === undefined ? String(row.key) : publicId(keyKind, Number(row.key))))
      return withAll ? [null, ...keyValues] : keyValues
    },
  }

  function toKeyText(keyValue: string | null): string | null {
    return keyKind === undefined || keyValue === null ? keyValue : String(idNumber(keyKind, keyValue) ?? 0)
  }
}
