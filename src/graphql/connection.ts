import {
  type ListFilter,
  type ListLoader,
  type ListSort,
  type Loader,
  type Page,
  type PageQuery,
  whenAllLoaded,
  whenLoaded,
} from 'cached-resolvers'
import { ArgsType, type ClassType, Directive, Field, Int, ObjectType } from 'type-graphql'
import { Cursors } from './cursor.js'
import { badUserInput } from './errors.js'
import { Cost } from './field-cost.js'

/**
 * Arguments of a connection, as in the Relay specification "GraphQL Cursor Connections":
 * https://relay.dev/graphql/connections.htm
 */
@ArgsType()
export class ConnectionArgs {
  @Field(() => Int, {
    nullable: true,
    description: 'Maximum number of items from the start (default 20 if last is not given either, at most 100)',
  })
  first?: number | null

  @Field(() => String, { nullable: true, description: 'Only items after this cursor' })
  after?: string | null

  @Field(() => Int, { nullable: true, description: 'Maximum number of items from the end (at most 100)' })
  last?: number | null

  @Field(() => String, { nullable: true, description: 'Only items before this cursor' })
  before?: string | null
}

export const defaultPageSize = 20
export const maxPageSize = 100

@Directive('@cacheControl(inheritMaxAge: true)')
@ObjectType('PageInfo', {
  simpleResolvers: true,
  description: 'Where a page lies in its list, for requesting the next or previous one',
})
@Cost({ weight: 0 })
export class PageInfoType {
  @Field(() => Boolean, { description: 'Whether the list has items after this page' })
  hasNextPage!: boolean

  @Field(() => Boolean, { description: 'Whether the list has items before this page' })
  hasPreviousPage!: boolean

  @Field(() => String, {
    nullable: true,
    description: 'Cursor of the first item, to pass as the argument before; null if the page is empty',
  })
  startCursor!: string | null

  @Field(() => String, {
    nullable: true,
    description: 'Cursor of the last item, to pass as the argument after; null if the page is empty',
  })
  endCursor!: string | null
}

/** Creates the edge and connection types of a node type. */
export function connectionType<Node extends { id: string }>(name: string, nodeType: () => ClassType<Node>) {
  @Directive('@cacheControl(inheritMaxAge: true)')
  @ObjectType(`${name}Edge`, { simpleResolvers: true, description: 'An item of a page, with its cursor' })
  @Cost({ weight: 0 })
  class EdgeType {
    @Field(() => String, { description: 'Opaque; valid only for this list with the same order and filter' })
    cursor!: string

    @Field(nodeType, { description: 'The item' })
    node!: Node
  }

  @Directive('@cacheControl(inheritMaxAge: true)')
  @ObjectType(`${name}Connection`, {
    simpleResolvers: true,
    description:
      'One page of a list. Each of the fields edges and nodes, if selected, costs the page size times the cost of an item',
  })
  class ConnectionType {
    @Field(() => [EdgeType], {
      description: 'The items of the page, each with its cursor. Items that were deleted after the page was read are left out',
    })
    edges!: EdgeType[]

    @Field(() => [nodeType()], { description: 'The nodes of the edges' })
    nodes!: Node[]

    @Field(() => PageInfoType, { description: 'Where the page lies in the list' })
    pageInfo!: PageInfoType

    @Cost({ weight: 2 })
    @Field(() => Int, {
      description: 'Number of items of the whole list, after filtering. Counted only if selected, which costs 2 points',
    })
    totalCount!: number
  }

  return ConnectionType
}

export interface ConnectionSource<Node> {
  /** Unique name of the list. A cursor is valid only for the list name, sort and filter for which it was created. */
  listName: string
  /** Identifies the list in `listLoader` (see ListQuery.list); null for the list of all rows */
  listKey: string | null
  /** A declared sort of the list, with its name. Default: newest first */
  sort?: (ListSort & { name: string }) | undefined
  /** Default: all items of the list */
  filter?: ListFilter | undefined
  listLoader: ListLoader
  nodeLoader: Loader<string, Node | null>
}

/**
 * Returns one page of a list. The fields are functions, so that only selected fields load data. Throws BAD_USER_INPUT for invalid
 * arguments, for example both first and last.
 */
export function connection<Node extends { id: string }>(
  args: ConnectionArgs,
  { listName, listKey, sort, filter, listLoader, nodeLoader }: ConnectionSource<Node>,
) {
  const cursors = new Cursors(cursorScope(listName, sort?.name, filter), sort && valueTypeOf(sort))
  const query: PageQuery = { list: listKey, ...pageQuery(args, cursors) }
  if (sort) query.sort = sort.name
  if (filter) query.filter = filter
  const loadItems = <Item>(select: (nodes: readonly (Node | null)[], page: Page) => Item[]) =>
    whenLoaded(listLoader.loadPage(query), (page) =>
      whenLoaded(nodeLoader.loadMany(page.ids), (rows) => whenAllLoaded(rows, (nodes) => select(nodes, page))),
    )
  return {
    // Rows that were deleted after their page was read and before the rows were loaded are left out.
    edges: () =>
      loadItems((nodes, page) =>
        nodes.flatMap((node, index) => (node === null ? [] : [{ cursor: cursors.encode(page, index), node }])),
      ),
    nodes: () => loadItems((nodes) => nodes.filter((node) => node !== null)),
    pageInfo: () =>
      whenLoaded(listLoader.loadPage(query), (page) => {
        const { length } = page.ids
        return {
          hasNextPage: page.hasNext,
          hasPreviousPage: page.hasPrevious,
          startCursor: length === 0 ? null : cursors.encode(page, 0),
          endCursor: length === 0 ? null : cursors.encode(page, length - 1),
        }
      }),
    totalCount: () => listLoader.loadCount(listKey, filter),
  }
}

/**
 * Returns the declared sort of this name, with the name added. Returns undefined without a name, and for a name that is not declared,
 * such as NEWEST: the order is then the default, newest first.
 */
export function namedSort(
  sorts: Readonly<Record<string, ListSort>>,
  name: string | null | undefined,
): ConnectionSource<unknown>['sort'] {
  const sort = name == null ? undefined : sorts[name]
  return sort && { name: name as string, ...sort }
}

function valueTypeOf({ column, collation }: ListSort): 'number' | 'string' | undefined {
  if (column === 'id') return undefined
  return collation === undefined ? 'number' : 'string'
}

/** Returns a text that differs between lists, sorts and filters. */
export function cursorScope(listName: string, sort: string | undefined, filter: ListFilter | undefined): string {
  return sort === undefined && filter === undefined ? listName : JSON.stringify([listName, sort, filter])
}

function pageQuery({ first, after, last, before }: ConnectionArgs, cursors: Cursors) {
  if (first != null && last != null) throw badUserInput('Use first or last, not both')
  const start = after == null ? undefined : cursors.decode(after, 'after')
  const end = before == null ? undefined : cursors.decode(before, 'before')
  return {
    after: start?.id ?? null,
    before: end?.id ?? null,
    ...(start?.value !== undefined && { afterValue: start.value }),
    ...(end?.value !== undefined && { beforeValue: end.value }),
    size: first != null ? pageSize('first', first) : last != null ? pageSize('last', last) : defaultPageSize,
    from: last != null ? ('end' as const) : ('start' as const),
  }
}

function pageSize(argument: string, size: number): number {
  if (size < 0 || size > maxPageSize) throw badUserInput(`${argument} must be between 0 and ${maxPageSize}`)
  return size
}
