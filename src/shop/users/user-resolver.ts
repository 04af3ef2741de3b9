import { Arg, Args, Ctx, Directive, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql'
import { Access, administrators, oneself, signedIn } from '../../graphql/access.js'
import { ConnectionArgs, connection, namedSort } from '../../graphql/connection.js'
import type { Context } from '../../graphql/context.js'
import { forbidden } from '../../graphql/errors.js'
import { loadById } from '../../graphql/node.js'
import { valueAndErrors } from '../../graphql/user-error.js'
import { orderSorts, type orders } from '../orders/order.js'
import { OrderConnectionType, OrderSort } from '../orders/order-type.js'
import type { User, users } from './user.js'
import {
  CreateUserInput,
  DeleteUserPayloadType,
  UpdateUserInput,
  UserConnectionType,
  UserPayloadType,
  UserType,
} from './user-type.js'

/** Context with the loaders used by this resolver */
type UserContext = Context<{ users: typeof users; orders: typeof orders }>

@Resolver(() => UserType)
export class UserResolver {
  @Access(signedIn)
  @Query(() => UserType, { nullable: true, description: 'The user with this id; null if there is none' })
  user(@Arg('id', () => ID, { description: 'Such as user_1' }) id: string, @Ctx() { loaders }: UserContext) {
    return loadById('user', id, loaders.users)
  }

  @Access(administrators)
  @Directive('@cacheControl(maxAge: 0, scope: PRIVATE)')
  @Query(() => UserConnectionType, {
    description: 'All users. Newest first; a page holds 20 unless told, 100 at most. For administrators only',
  })
  users(@Args(() => ConnectionArgs) args: ConnectionArgs, @Ctx() { loaders }: UserContext) {
    return connection(args, {
      listName: 'users',
      listKey: null,
      listLoader: loaders.userLists,
      nodeLoader: loaders.users,
    })
  }

  @FieldResolver(() => OrderConnectionType, { description: "This user's orders, newest first unless sorted otherwise" })
  orders(
    @Root() { id }: User,
    @Arg('sortBy', () => OrderSort, { nullable: true, defaultValue: OrderSort.NEWEST, description: 'Order of the list' })
    sortBy: OrderSort | null | undefined,
    @Args(() => ConnectionArgs) args: ConnectionArgs,
    @Ctx() { loaders }: UserContext,
  ) {
    return connection(args, {
      listName: `orders of ${id}`,
      listKey: id,
      sort: namedSort(orderSorts, sortBy),
      listLoader: loaders.userOrderLists,
      nodeLoader: loaders.orders,
    })
  }

  @Access(administrators)
  @Mutation(() => UserPayloadType, { description: 'Creates a user. For administrators only' })
  async createUser(
    @Arg('input', () => CreateUserInput, { description: 'The new user' }) input: CreateUserInput,
    @Ctx() { commands, loaders }: UserContext,
  ) {
    const { value, userErrors } = valueAndErrors(await commands.createUser(input))
    return { user: () => value && loaders.users.load(value), userErrors }
  }

  @Access(oneself<{ input: UpdateUserInput }>(({ input }) => input.id))
  @Mutation(() => UserPayloadType, { description: 'Changes the email or the name of a user' })
  async updateUser(
    @Arg('input', () => UpdateUserInput, { description: 'The new values' }) input: UpdateUserInput,
    @Ctx() { viewer, commands, loaders }: UserContext,
  ) {
    // If customers could change their email, a refused email would reveal that another user has this email.
    if (input.email != null && viewer.role !== 'admin') throw forbidden()
    const { value, userErrors } = valueAndErrors(await commands.updateUser(input))
    return { user: () => value && loaders.users.load(value), userErrors }
  }

  @Access(oneself<{ id: string }>(({ id }) => id))
  @Mutation(() => DeleteUserPayloadType, { description: 'Deletes a user. Refused (IN_USE) while the user has orders' })
  async deleteUser(@Arg('id', () => ID, { description: 'Such as user_1' }) id: string, @Ctx() { commands }: UserContext) {
    const { value, userErrors } = valueAndErrors(await commands.deleteUser(id))
    return { deletedUserId: value, userErrors }
  }
}
