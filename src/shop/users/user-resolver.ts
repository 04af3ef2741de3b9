import { Arg, Args, Ctx, Directive, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql'
import { Access, administrators, oneself, signedIn } from '../../graphql/access.js'
import { ConnectionArgs, connection } from '../../graphql/connection.js'
import type { Context } from '../../graphql/context.js'
import { forbidden } from '../../graphql/errors.js'
import { loadById } from '../../graphql/node.js'
import { valueAndErrors } from '../../graphql/user-error.js'
import type { orders } from '../orders/order.js'
import { OrderConnectionType } from '../orders/order-type.js'
import type { User, users } from './user.js'
import {
  CreateUserInput,
  DeleteUserPayloadType,
  UpdateUserInput,
  UserConnectionType,
  UserPayloadType,
  UserType,
} from './user-type.js'

/** With the loaders that this resolver uses */
type UserContext = Context<{ users: typeof users; orders: typeof orders }>

@Resolver(() => UserType)
export class UserResolver {
  @Access(signedIn)
  @Query(() => UserType, { nullable: true })
  user(@Arg('id', () => ID) id: string, @Ctx() { loaders }: UserContext) {
    return loadById('user', id, loaders.users)
  }

  @Access(administrators)
  @Directive('@cacheControl(maxAge: 0, scope: PRIVATE)')
  @Query(() => UserConnectionType, { description: 'Newest first; a page holds 20 unless told, 100 at most' })
  users(@Args(() => ConnectionArgs) args: ConnectionArgs, @Ctx() { loaders }: UserContext) {
    return connection(args, {
      name: 'users',
      list: null,
      lists: loaders.userLists,
      nodes: loaders.users,
    })
  }

  @FieldResolver(() => OrderConnectionType, { description: "This user's orders, newest first" })
  orders(@Root() { id }: User, @Args(() => ConnectionArgs) args: ConnectionArgs, @Ctx() { loaders }: UserContext) {
    return connection(args, {
      name: `orders of ${id}`,
      list: id,
      lists: loaders.userOrderLists,
      nodes: loaders.orders,
    })
  }

  @Access(administrators)
  @Mutation(() => UserPayloadType)
  async createUser(@Arg('input', () => CreateUserInput) input: CreateUserInput, @Ctx() { commands, loaders }: UserContext) {
    const { value, userErrors } = valueAndErrors(await commands.createUser(input))
    return { user: () => value && loaders.users.load(value), userErrors }
  }

  @Access(oneself<{ input: UpdateUserInput }>(({ input }) => input.id))
  @Mutation(() => UserPayloadType)
  async updateUser(
    @Arg('input', () => UpdateUserInput) input: UpdateUserInput,
    @Ctx() { viewer, commands, loaders }: UserContext,
  ) {
    // A refused address would tell any customer that somebody has it.
    if (input.email != null && viewer.role !== 'admin') throw forbidden()
    const { value, userErrors } = valueAndErrors(await commands.updateUser(input))
    return { user: () => value && loaders.users.load(value), userErrors }
  }

  @Access(oneself<{ id: string }>(({ id }) => id))
  @Mutation(() => DeleteUserPayloadType, { description: 'Refused (IN_USE) while the user has orders' })
  async deleteUser(@Arg('id', () => ID) id: string, @Ctx() { commands }: UserContext) {
    const { value, userErrors } = valueAndErrors(await commands.deleteUser(id))
    return { deletedUserId: value, userErrors }
  }
}
