/**
 * Thrown if a document cannot be compiled or a compiled query cannot write a value. The standard execution has to run the request
 * instead, and may answer it without an error.
 */
export class NotCompilableError extends Error {
  override readonly name = 'NotCompilableError'
}
