import { GraphQLScalarType } from 'graphql'

/** The shop's types represent instants as strings in this format, so the scalar converts nothing. */
export const DateTime = new GraphQLScalarType<string, string>({
  name: 'DateTime',
  description: 'ISO 8601 instant in UTC with milliseconds, for example 2026-01-31T12:00:00.000Z',
})
