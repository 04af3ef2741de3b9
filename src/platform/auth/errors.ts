/** The client has to send another token. The message is sent to the client and never contains any part of the token. */
export class InvalidTokenError extends Error {
  override readonly name = 'InvalidTokenError'
}

/** The token cannot be verified at the moment, because the identity provider's keys cannot be fetched. */
export class KeysUnavailableError extends Error {
  override readonly name = 'KeysUnavailableError'
}
