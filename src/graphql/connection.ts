import { type ListLoader, type Loader, whenAllLoaded, whenLoaded } from 'cached-resolvers'
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

  @Field(() => String, { nullable: true, description: 'Cursor of the first item, for before; null if the page is empty' })
  startCursor!: string | null

  @Field(() => String, { nullable: true, description: 'Cursor of the last item, for after; null if the page is empty' })
  endCursor!: string | null
}

/** Creates the edge and connection types of a node type. */
export function connectionType<Node extends { id: string }>(name: string, nodeType: () => ClassType<Node>) {
  @Directive('@cacheControl(inheritMaxAge: true)')
  @ObjectType(`${name}Edge`, { simpleResolvers: true, description: 'An item of a page, with its cursor' })
  @Cost({ weight: 0 })
  class EdgeType {
    @Field(() => String, { description: 'Opaque; valid for this list only' })
    cursor!: string

    @Field(nodeType, { description: 'The item' })
    node!: Node
  }

  @Directive('@cacheControl(inheritMaxAge: true)')
  @ObjectType(`${name}Connection`, {
    simpleResolvers: true,
    description: 'One page of a list. edges and nodes each cost the page size times the cost of an item',
  })
  class ConnectionType {
    @Field(() => [EdgeType], {
      description: 'The items of the page, each with its cursor. Items that were deleted meanwhile are left out',
    })
    edges!: EdgeType[]

    @Field(() => [nodeType()], { description: 'The nodes of the edges' })
    nodes!: Node[]

    @Field(() => PageInfoType, { description: 'Where the page lies in the list' })
    pageInfo!: PageInfoType

    @Cost({ weight: 2 })
    @Field(() => Int, { description: 'Length of the whole list. Counted only if selected, for 2 points' })
    totalCount!: number
  }

  return ConnectionType
}

export interface ConnectionSource<Node> {
  /** Unique name of the list. A cursor is valid only for the list with the name for which it was created. */
  listName: string
  /** The key of the list in `listLoader` */
  listKey: string | null
  listLoader: ListLoader
  nodeLoader: Loader<string, Node | null>
}

/**
 * Returns one page of a list. The fields are functions, so that only selected fields load data. Throws BAD_USER_INPUT for invalid
 * arguments, for example both first and last.
 */
export function connection<Node extends { id: string }>(
  args: ConnectionArgs,
  { listName, listKey, listLoader, nodeLoader }: ConnectionSource<Node>,
) {
  const cursors = new Cursors(listName)
  const query = { list: listKey, ...pageQuery(args, cursors) }
  const loadNodes = () =>
    whenLoaded(listLoader.loadPage(query), ({ ids }) =>
      whenLoaded(nodeLoader.loadMany(ids), (rows) => whenAllLoaded(rows, withoutDeleted)),
    )
  return {
    edges: () => whenLoaded(loadNodes(), (rows) => rows.map((node) => ({ cursor: cursors.encode(node.id), node }))),
    nodes: loadNodes,
    pageInfo: () =>
      whenLoaded(listLoader.loadPage(query), ({ ids, hasNext, hasPrevious }) => {
        const cursorOf = (id: string | undefined) => (id === undefined ? null : cursors.encode(id))
        return {
          hasNextPage: hasNext,
          hasPreviousPage: hasPrevious,
          startCursor: cursorOf(ids[0]),
          endCursor: cursorOf(ids.at(-1)),
        }
      }),
    totalCount: () => listLoader.loadCount(listKey),
  }
}

function pageQuery({ first, after, last, before }: ConnectionArgs, cursors: Cursors) {
  if (first != null && last != null) throw badUserInput('Use first or last, not both')
  return {
    after: after == null ? null : cursors.decode(after, 'after'),
    before: before == null ? null : cursors.decode(before, 'before'),
    size: first != null ? pageSize('first', first) : last != null ? pageSize('last', last) : defaultPageSize,
    from: last != null ? ('end' as const) : ('start' as const),
  }
}

function pageSize(argument: string, size: number): number {
  if (size < 0 || size > maxPageSize) throw badUserInput(`${argument} must be between 0 and ${maxPageSize}`)
  return size
}

/** Omits rows that were deleted after their page was read and before the rows were loaded. */
function withoutDeleted<Node>(nodes: readonly (Node | null)[]): Node[] {
  return nodes.filter((node) => node !== null)
}
