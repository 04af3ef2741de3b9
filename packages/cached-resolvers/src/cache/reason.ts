/** What an error says, and what was behind it, for whoever operates this. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? messageOf(error.cause) : ''
  return cause === '' ? messageOf(error) : `${messageOf(error)} (${cause})`
}

/** Where a name leads to several addresses, the error that none of them answers has a code only. */
function messageOf(error: NodeJS.ErrnoException): string {
  return error.message || (error.code ?? '')
}
