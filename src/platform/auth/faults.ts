/** The caller's to mend. The message is for the caller, and never holds the token or a part of it. */
export class InvalidTokenError extends Error {
  override readonly name = 'InvalidTokenError'
}

/** Nobody can tell now whether the token is good: the keys are elsewhere, and cannot be had. */
export class KeysUnavailableError extends Error {
  override readonly name = 'KeysUnavailableError'
}
