import { idKind } from 'cached-resolvers'
import { badUserInput } from './errors.js'

/** Maximum number of topics of one subscription */
export const maxTopics = 100

/**
 * Returns the ids if a client may subscribe to them. Throws BAD_USER_INPUT for malformed ids, which would never have an event.
 */
export function topicsOf(kind: string, ids: readonly string[], argument: string): readonly string[] {
  if (ids.length === 0) throw badUserInput(`${argument} must contain at least one ${kind} id`)
  if (ids.length > maxTopics) throw badUserInput(`${argument} must contain at most ${maxTopics} ids`)
  const malformed = ids.find((id) => idKind(id) !== kind)
  if (malformed !== undefined) throw badUserInput(`${argument} must contain only ids like ${kind}_1`)
  return ids
}
