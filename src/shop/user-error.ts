import { truncate } from '../platform/truncate.js'

/** An expected failure, to be shown to the user of a form */
export interface UserError {
  code: UserErrorCode
  message: string
  /** Path to the invalid input, such as ["input", "productIds", "2"] */
  field: string[]
}

type UserErrorCode = 'INVALID' | 'NOT_FOUND' | 'ALREADY_EXISTS' | 'OUT_OF_STOCK' | 'IN_USE' | 'IDEMPOTENCY_KEY_REUSED'

/** A command throws a Refusal to roll back its transaction. The errors of the Refusal become the outcome of the command. */
export class Refusal extends Error {
  override readonly name = 'Refusal'

  readonly userErrors: readonly UserError[]

  constructor(userErrors: readonly UserError[]) {
    super(userErrors.map(({ message }) => message).join('; '))
    this.userErrors = userErrors.map((error) => ({ ...error, message: truncate(error.message) }))
  }
}

export function refuse(code: UserErrorCode, message: string, field: string[]): never {
  throw new Refusal([{ code, message, field }])
}
