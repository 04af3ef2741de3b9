import { Field, ObjectType, registerEnumType } from 'type-graphql'
import type { Outcome } from '../shop/command.js'
import type { UserError } from '../shop/user-error.js'
import { Cost } from './field-cost.js'

export enum UserErrorCode {
  INVALID = 'INVALID',
  NOT_FOUND = 'NOT_FOUND',
  ALREADY_EXISTS = 'ALREADY_EXISTS',
  OUT_OF_STOCK = 'OUT_OF_STOCK',
  IN_USE = 'IN_USE',
  IDEMPOTENCY_KEY_REUSED = 'IDEMPOTENCY_KEY_REUSED',
}
registerEnumType(UserErrorCode, { name: 'UserErrorCode' })

@Cost({ weight: 0 })
@ObjectType('UserError', {
  simpleResolvers: true,
  description: 'An expected failure, for the person at the form. Faults of the request or the server are top-level errors.',
})
export class UserErrorType implements UserError {
  @Field(() => UserErrorCode)
  code!: `${UserErrorCode}`

  @Field(() => String)
  message!: string

  @Field(() => [String], { nullable: true, description: 'Path into the input, for example ["input", "productIds", "2"]' })
  field!: string[]
}

/** Returns the fields of a mutation payload: the value and no errors, or null and the errors. */
export function valueAndErrors<T>(outcome: Outcome<T>): { value: T | null; userErrors: readonly UserError[] } {
  if (outcome.state === 'refused') return { value: null, userErrors: outcome.userErrors }
  return { value: outcome.value, userErrors: [] }
}
