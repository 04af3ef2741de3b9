import type { Row } from 'postgres'
import { defineEntity, type Entity, type Freshness, type ListOptions } from '../loaders/entity.js'
import { idNumber, publicId } from '../loaders/ids.js'
import type { ListQuery, PageQuery } from '../loaders/page.js'
import type { EntityTracking, ListTracking } from '../loaders/rules.js'
import type { Queryable } from './database.js'
import { fetchPages, type PageSource } from './pages.js'

export interface TableEntityOptions<R extends Row, V, Lists extends string>
  extends Omit<EntityTracking, 'name' | 'kind' | 'table'> {
  /** A table with an integer column `id`; the namespace has the same name. */
  table: string
  kind: string
  version?: number
  fresh: Freshness
  /** Makes the value of a row, whose public id is `kind_id`. */
  toValue: (row: R, id: string) => V
  /** The newest stand first. */
  lists?: Readonly<Record<Lists, TableListOptions>>
}

/** Lists of a table by a column: of text, or of the numbers of ids where `keyKind` is given. Needs an index on that column and `id`. */
export interface TableListOptions extends ListTracking {
  /** Of its namespace in the cache; left out for a list that is not cached */
  name?: string
  version?: number
  fresh?: Freshness
}

/** An entity that is the rows of a table: reads by id, pages, counts and what the cache is warmed with follow from its columns. */
export function defineTableEntity<R extends Row, V extends { id: string }, Lists extends string = never>(
  options: TableEntityOptions<R, V, Lists>,
): Entity<V, Queryable, Lists> {
  const { table, kind, toValue, lists, ...others } = options
  return defineEntity<V, Queryable, Lists>({
    ...{ ...others, name: table, table, kind },
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

/** Ids of the newest rows of a table, by the name that entities have for that */
export function newestOf(table: string, kind: string) {
  return async (database: Queryable, limit: number): Promise<string[]> => {
    const rows = await database<{ id: number }[]>`select id from ${database(table)} order by id desc limit ${limit}`
    return rows.map(({ id }) => publicId(kind, id))
  }
}

/** What a list of an entity needs whose values are made of more than a row */
export function tableList(table: string, kind: string, list: TableListOptions): ListOptions<Queryable> {
  const { key, keyKind, withAll = key === undefined } = list
  const listValue = (name: string | null) =>
    keyKind === undefined || name === null ? name : String(idNumber(keyKind, name) ?? 0)
  return {
    ...list,
    pages(database, queries) {
      const rows = database(table)
      const keyed = (column: string) => database`(select * from ${rows} where ${database(column)} = ${value(database)}) r`
      const sources: PageSource[] = []
      // A condition on the query alone is tested once, so that each branch keeps to its own index.
      if (withAll) sources.push({ rows: database`${rows} r`, when: database`q.list is null` })
      if (key !== undefined) sources.push({ rows: keyed(key), when: database`q.list is not null` })
      const byValue = queries.map((query: PageQuery) => ({ ...query, list: listValue(query.list) }))
      return fetchPages(database, kind, queries, sources, byValue)
    },
    async counts(database, queries) {
      const all = database`(select count(*) from ${database(table)})`
      const ofList =
        key === undefined ? all : database`(select count(*) from ${database(table)} where ${database(key)} = ${value(database)})`
      const rows = await database<{ count: number }[]>`
        select (case when q.list is null then ${withAll ? all : database`0`} else ${ofList} end)::int as count
        from unnest(${queries.map((query: ListQuery) => listValue(query.list))}::text[]) with ordinality as q (list, position)
        order by position`
      return new Map(queries.map((query: ListQuery, index: number) => [query, rows[index]?.count ?? 0]))
    },
    async newest(database, limit) {
      if (key === undefined) return [null]
      const rows = await database<{ key: number | string }[]>`
        select ${database(key)} as key from ${database(table)} where ${database(key)} is not null
        group by 1 order by max(id) desc limit ${withAll ? limit - 1 : limit}`
      const names = rows.map((row) => (keyKind === undefined ? String(row.key) : publicId(keyKind, Number(row.key))))
      return withAll ? [null, ...names] : names
    },
  }

  function value(database: Queryable) {
    return keyKind === undefined ? database`q.list` : database`q.list::bigint`
  }
}
