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
registerEnumType(UserErrorCode, {
  name: 'UserErrorCode',
  description: 'Why a mutation changed nothing, for programs',
  valuesConfig: {
    INVALID: { description: 'A value of the input breaks a rule, which the message states' },
    NOT_FOUND: { description: 'The object that the input names does not exist' },
    ALREADY_EXISTS: { description: 'A value that must be unique is taken, such as an email' },
    OUT_OF_STOCK: { description: 'Fewer units of a product are in stock than were ordered' },
    IN_USE: { description: 'The object cannot be deleted while others refer to it' },
    IDEMPOTENCY_KEY_REUSED: { description: 'The idempotencyKey was used before, with another input' },
  },
})

@Cost({ weight: 0 })
@ObjectType('UserError', {
  simpleResolvers: true,
  description: 'An expected failure, for the person at the form. Faults of the request or the server are top-level errors.',
})
export class UserErrorType implements UserError {
  @Field(() => UserErrorCode, { description: 'The kind of failure, for programs' })
  code!: `${UserErrorCode}`

  @Field(() => String, { description: 'What is wrong, in English, for people' })
  message!: string

  @Field(() => [String], {
    nullable: true,
    description: 'Path into the input, for example ["input", "productIds", "2"]; null if no single value is at fault',
  })
  field!: string[]
}

/** Returns the fields of a mutation payload: the value and no errors, or null and the errors. */
export function valueAndErrors<T>(outcome: Outcome<T>): { value: T | null; userErrors: readonly UserError[] } {
  if (outcome.state === 'refused') return { value: null, userErrors: outcome.userErrors }
  return { value: outcome.value, userErrors: [] }
}
