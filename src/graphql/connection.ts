import { type ListLoader, type Loader, whenAllLoaded, whenLoaded } from 'cached-resolvers'
import { ArgsType, type ClassType, Directive, Field, Int, ObjectType } from 'type-graphql'
import { Cursors } from './cursor.js'
import { badUserInput } from './errors.js'
import { Priced } from './price.js'

/** Of the Relay specification "GraphQL Cursor Connections": https://relay.dev/graphql/connections.htm */
@ArgsType()
export class ConnectionArgs {
  @Field(() => Int, { nullable: true, description: 'The first so many (20 where neither first nor last is given, 100 at most)' })
  first?: number | null

  @Field(() => String, { nullable: true, description: 'Only what follows this cursor' })
  after?: string | null

  @Field(() => Int, { nullable: true, description: 'The last so many (100 at most)' })
  last?: number | null

  @Field(() => String, { nullable: true, description: 'Only what precedes this cursor' })
  before?: string | null
}

export const defaultPageSize = 20
export const maxPageSize = 100

@Directive('@cacheControl(inheritMaxAge: true)')
@ObjectType('PageInfo', { simpleResolvers: true })
@Priced({ weight: 0 })
export class PageInfoType {
  @Field(() => Boolean)
  hasNextPage!: boolean

  @Field(() => Boolean)
  hasPreviousPage!: boolean

  @Field(() => String, { nullable: true })
  startCursor!: string | null

  @Field(() => String, { nullable: true })
  endCursor!: string | null
}

/** The edge and connection types of a node type. A connection's fields are methods, so that only what is asked for is loaded. */
export function connectionType<Node extends { id: string }>(name: string, nodeType: () => ClassType<Node>) {
  @Directive('@cacheControl(inheritMaxAge: true)')
  @ObjectType(`${name}Edge`, { simpleResolvers: true })
  @Priced({ weight: 0 })
  class EdgeType {
    @Field(() => String, { description: 'Opaque; good for this list only' })
    cursor!: string

    @Field(nodeType)
    node!: Node
  }

  @Directive('@cacheControl(inheritMaxAge: true)')
  @ObjectType(`${name}Connection`, { simpleResolvers: true })
  class ConnectionType {
    @Field(() => [EdgeType])
    edges!: EdgeType[]

    @Field(() => [nodeType()], { description: 'The nodes of the edges' })
    nodes!: Node[]

    @Field(() => PageInfoType)
    pageInfo!: PageInfoType

    @Priced({ weight: 2 })
    @Field(() => Int, { description: 'Of the whole list. Computed only where it is asked for' })
    totalCount!: number
  }

  return ConnectionType
}

export interface ConnectionSource<Node> {
  /** Tells this list from all others: cursors are good for one list. */
  name: string
  /** What the loader calls it */
  list: string | null
  lists: ListLoader
  nodes: Loader<string, Node | null>
}

/** Throws BAD_USER_INPUT for arguments that do not go together. */
export function connection<Node extends { id: string }>(
  args: ConnectionArgs,
  { name, list, lists, nodes }: ConnectionSource<Node>,
) {
  const cursors = new Cursors(name)
  const query = { list, ...toRange(args, cursors) }
  const loadNodes = () =>
    whenLoaded(lists.loadPage(query), ({ ids }) => whenLoaded(nodes.loadMany(ids), (its) => whenAllLoaded(its, existing)))
  return {
    edges: () => whenLoaded(loadNodes(), (its) => its.map((node) => ({ cursor: cursors.encode(node.id), node }))),
    nodes: loadNodes,
    pageInfo: () =>
      whenLoaded(lists.loadPage(query), ({ ids, hasNext, hasPrevious }) => {
        const cursorOf = (id: string | undefined) => (id === undefined ? null : cursors.encode(id))
        return {
          hasNextPage: hasNext,
          hasPreviousPage: hasPrevious,
          startCursor: cursorOf(ids[0]),
          endCursor: cursorOf(ids.at(-1)),
        }
      }),
    totalCount: () => lists.loadCount(list),
  }
}

function toRange({ first, after, last, before }: ConnectionArgs, cursors: Cursors) {
  if (first != null && last != null) throw badUserInput('Give first or last, not both')
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

/** A row may be deleted between the reading of its page and its own; it is left out then. */
function existing<Node>(nodes: readonly (Node | null)[]): Node[] {
  return nodes.filter((node) => node !== null)
}
