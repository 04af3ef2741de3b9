/** The document, or what it met, is for the ordinary execution. It says nothing of a fault. */
export class NotCompilableError extends Error {
  override readonly name = 'NotCompilableError'
}
