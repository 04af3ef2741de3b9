/** The message of an error and of its cause, for logs. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? messageOf(error.cause) : ''
  return cause === '' ? messageOf(error) : `${messageOf(error)} (${cause})`
}

/** When no address of a host name answers, Node's error has a code but no message. */
function messageOf(error: NodeJS.ErrnoException): string {
  return error.message || (error.code ?? '')
}
