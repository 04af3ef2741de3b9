import type { Loader, PromiseOrValue } from 'cached-resolvers'
import { idKind } from 'cached-resolvers'
import { Arg, Ctx, Field, ID, InterfaceType, Query, Resolver } from 'type-graphql'
import { Access, everyone } from './access.js'
import type { Context } from './context.js'
import { badUserInput } from './errors.js'

@InterfaceType('Node', {
  description: 'Anything that can be fetched again by its id. Ids carry their type: user_1, product_1, order_1.',
  resolveType: typeNameOf,
})
export abstract class NodeType {
  @Field(() => ID, { description: 'Unique among the objects of all types. Begins with the type, such as user_1' })
  id!: string
}

/** Derives the type name from the kind in the id. For example, order_item_7 is an OrderItem. */
export function typeNameOf({ id }: { id: string }): string {
  const kind = idKind(id) as string
  return kind.replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase())
}

const maxNodes = 100

@Resolver()
export class NodeResolver {
  @Access(everyone)
  @Query(() => NodeType, { nullable: true, description: 'The object with this id; null if there is none' })
  node(@Arg('id', () => ID, { description: 'Such as user_1, product_1 or order_1' }) id: string, @Ctx() { loaders }: Context) {
    return loadNode(loaders, id)
  }

  @Access(everyone)
  @Query(() => [NodeType], {
    nullable: 'items',
    description: `Same length and order as ids; null for ids that do not exist. At most ${maxNodes} ids`,
  })
  nodes(
    @Arg('ids', () => [ID], { description: `Such as user_1, of any types; ${maxNodes} at most` }) ids: string[],
    @Ctx() { loaders }: Context,
  ) {
    if (ids.length > maxNodes) throw badUserInput(`ids must contain at most ${maxNodes} ids`)
    return ids.map((id) => loadNode(loaders, id))
  }
}

function loadNode(loaders: Context['loaders'], id: string): PromiseOrValue<{ id: string } | null> {
  const kind = idKind(id)
  return kind === null ? null : (loaders.ofKind(kind)?.load(id) ?? null)
}

/** Loads the object with this id. If the id has another kind, returns null without reading the cache or the database. */
export function loadById<V>(kind: string, id: string, loader: Loader<string, V>): PromiseOrValue<V | null> {
  return idKind(id) === kind ? loader.load(id) : null
}
