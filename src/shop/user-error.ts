import { truncate } from '../platform/truncate.js'

/** An expected failure, for the person at the form. */
export interface UserError {
  code: UserErrorCode
  message: string
  /** Path into the input, for example ["input", "productIds", "2"] */
  field: string[]
}

type UserErrorCode = 'INVALID' | 'NOT_FOUND' | 'ALREADY_EXISTS' | 'OUT_OF_STOCK' | 'IN_USE' | 'IDEMPOTENCY_KEY_REUSED'

/** Thrown inside a command it undoes the transaction; the command answers with the errors. */
export class Refusal extends Error {
  override readonly name = 'Refusal'

  readonly userErrors: readonly UserError[]

  constructor(userErrors: readonly UserError[]) {
    super(userErrors.map(({ message }) => message).join('; '))
    this.userErrors = userErrors.map((its) => ({ ...its, message: truncate(its.message) }))
  }
}

export function refuse(code: UserErrorCode, message: string, field: string[]): never {
  throw new Refusal([{ code, message, field }])
}
