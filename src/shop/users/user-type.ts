import { Directive, Field, ID, InputType, ObjectType } from 'type-graphql'
import { Access, owner } from '../../graphql/access.js'
import { connectionType } from '../../graphql/connection.js'
import { NodeType } from '../../graphql/node.js'
import { DateTime } from '../../graphql/scalars.js'
import { UserErrorType } from '../../graphql/user-error.js'
import type { User } from './user.js'

@Access(owner(({ id }: User) => id))
@Directive('@cacheControl(maxAge: 0, scope: PRIVATE)')
@ObjectType('User', { implements: NodeType, simpleResolvers: true })
export class UserType implements User {
  id!: string

  @Field(() => String)
  email!: string

  @Field(() => String)
  name!: string

  @Field(() => DateTime)
  createdAt!: string
}

export const UserConnectionType = connectionType('User', () => UserType)

@InputType('CreateUserInput')
export class CreateUserInput {
  @Field(() => String, { description: 'Unlike that of any other user, upper or lower case' })
  email!: string

  @Field(() => String)
  name!: string
}

@InputType('UpdateUserInput', { description: 'What is not given stays as it is' })
export class UpdateUserInput {
  @Field(() => ID)
  id!: string

  @Field(() => String, { nullable: true, description: 'For administrators only' })
  email?: string | null

  @Field(() => String, { nullable: true })
  name?: string | null
}

@ObjectType('UserPayload', { simpleResolvers: true })
export class UserPayloadType {
  @Field(() => UserType, { nullable: true })
  user!: UserType | null

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[]
}

@ObjectType('DeleteUserPayload', { simpleResolvers: true })
export class DeleteUserPayloadType {
  @Field(() => ID, { nullable: true })
  deletedUserId!: string | null

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[]
}
