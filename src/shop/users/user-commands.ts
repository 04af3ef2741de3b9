import { idNumber, publicId } from 'cached-resolvers'
import { type CommandContext, isSqlError, type Outcome, runCommand } from '../command.js'
import { emailSchema, nameSchema, requireValid } from '../input.js'
import { refuse } from '../user-error.js'

/** Returns the new user's id. */
export function createUser(context: CommandContext, { email, name }: { email: string; name: string }): Promise<Outcome<string>> {
  return runCommand(context, async (transaction) => {
    requireValid([
      [emailSchema, email, ['input', 'email']],
      [nameSchema, name, ['input', 'name']],
    ])
    const [user] = await transaction<{ id: number }[]>`
      insert into users (email, name) values (${email}, ${name}) on conflict (lower(email)) do nothing returning id`
    return user ? publicId('user', user.id) : refuseEmail(email)
  })
}

export interface UserChange {
  id: string
  email?: string | null | undefined
  name?: string | null | undefined
}

/** Updates the fields that are given and not null. Returns the user's id. */
export function updateUser(context: CommandContext, { id, email, name }: UserChange): Promise<Outcome<string>> {
  return runCommand(context, async (transaction) => {
    requireValid([
      [emailSchema.nullish(), email, ['input', 'email']],
      [nameSchema.nullish(), name, ['input', 'name']],
    ])
    if (email == null && name == null) refuse('INVALID', 'Set email or name to a new value', ['input'])
    const updated = await transaction`
      update users set email = coalesce(${email ?? null}, email), name = coalesce(${name ?? null}, name)
      where id = ${idNumber('user', id)}`.catch((error) =>
      isSqlError(error, uniqueViolation) ? refuseEmail(email) : Promise.reject(error),
    )
    return updated.count === 1 ? id : refuse('NOT_FOUND', `There is no user ${id}`, ['input', 'id'])
  })
}

/** Returns the user's id. Refuses to delete a user who has orders. */
export function deleteUser(context: CommandContext, id: string): Promise<Outcome<string>> {
  return runCommand(context, async (transaction) => {
    const deleted = await transaction`delete from users where id = ${idNumber('user', id)}`.catch((error) =>
      isSqlError(error, foreignKeyViolation) ? refuse('IN_USE', `${id} has orders`, ['id']) : Promise.reject(error),
    )
    return deleted.count === 1 ? id : refuse('NOT_FOUND', `There is no user ${id}`, ['id'])
  })
}

function refuseEmail(email: string | null | undefined): never {
  return refuse('ALREADY_EXISTS', `There is a user with the email ${email}`, ['input', 'email'])
}

const uniqueViolation = '23505'
const foreignKeyViolation = '23503'
