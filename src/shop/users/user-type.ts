import { Directive, Field, ID, InputType, ObjectType } from 'type-graphql'
import { Access, owner } from '../../graphql/access.js'
import { connectionType } from '../../graphql/connection.js'
import { NodeType } from '../../graphql/node.js'
import { DateTime } from '../../graphql/scalars.js'
import { UserErrorType } from '../../graphql/user-error.js'
import type { User } from './user.js'

@Access(owner(({ id }: User) => id))
@Directive('@cacheControl(maxAge: 0, scope: PRIVATE)')
@ObjectType('User', { implements: NodeType, simpleResolvers: true, description: 'A customer of the shop' })
export class UserType implements User {
  id!: string

  @Field(() => String, { description: 'Unique among all users, ignoring case' })
  email!: string

  @Field(() => String, { description: 'Full name' })
  name!: string

  @Field(() => DateTime, { description: 'When the user was created' })
  createdAt!: string
}

export const UserConnectionType = connectionType('User', () => UserType)

@InputType('CreateUserInput', { description: 'A new user' })
export class CreateUserInput {
  @Field(() => String, { description: 'Must differ from the email of every other user, ignoring case' })
  email!: string

  @Field(() => String, { description: 'Full name, at most 200 characters' })
  name!: string
}

@InputType('UpdateUserInput', { description: 'New values for a user; a field that is absent or null is not changed' })
export class UpdateUserInput {
  @Field(() => ID, { description: 'The user to change, such as user_1' })
  id!: string

  @Field(() => String, {
    nullable: true,
    description: 'For administrators only. Must differ from the email of every other user, ignoring case',
  })
  email?: string | null

  @Field(() => String, { nullable: true, description: 'Full name, at most 200 characters' })
  name?: string | null
}

@ObjectType('UserPayload', { simpleResolvers: true, description: 'Result of createUser and updateUser' })
export class UserPayloadType {
  @Field(() => UserType, { nullable: true, description: 'The user as written; null if there are userErrors' })
  user!: UserType | null

  @Field(() => [UserErrorType], { description: 'Why nothing was changed; empty on success' })
  userErrors!: UserErrorType[]
}

@ObjectType('DeleteUserPayload', { simpleResolvers: true, description: 'Result of deleteUser' })
export class DeleteUserPayloadType {
  @Field(() => ID, { nullable: true, description: 'Id of the deleted user; null if there are userErrors' })
  deletedUserId!: string | null

  @Field(() => [UserErrorType], { description: 'Why nothing was changed; empty on success' })
  userErrors!: UserErrorType[]
}
