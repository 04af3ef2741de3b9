import { GraphQLScalarType } from 'graphql'

/** The model stores instants in the same format, so there is no conversion. */
export const DateTime = new GraphQLScalarType<string, string>({
  name: 'DateTime',
  description: 'ISO 8601 instant in UTC with milliseconds, for example 2026-01-31T12:00:00.000Z',
})
