/** Returns the message of an error and of its cause, for logs. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? messageOf(error.cause) : ''
  return cause === '' ? messageOf(error) : `${messageOf(error)} (${cause})`
}

/** Returns the message of an error, or its code: if no address of a host name answers, the error of Node has no message. */
function messageOf(error: NodeJS.ErrnoException): string {
  return error.message || (error.code ?? '')
}
