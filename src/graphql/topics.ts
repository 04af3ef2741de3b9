import { idKind } from 'cached-resolvers'
import { badUserInput } from './errors.js'

/** Of one subscription */
export const maxTopics = 100

/** Ids to be told of. What cannot be an id is refused: its subscriber would wait for ever. */
export function topicsOf(kind: string, ids: readonly string[], argument: string): readonly string[] {
  if (ids.length === 0) throw badUserInput(`${argument} must name at least one ${kind}`)
  if (ids.length > maxTopics) throw badUserInput(`${argument} must name at most ${maxTopics}`)
  const wrong = ids.find((id) => idKind(id) !== kind)
  if (wrong !== undefined) throw badUserInput(`${argument} must name ids like ${kind}_1, and one is not`)
  return ids
}
