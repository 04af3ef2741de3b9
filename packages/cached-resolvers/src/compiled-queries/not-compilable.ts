/**
 * A document cannot be compiled, or a value cannot be written by a compiled query: the standard execution has to run. It need not
 * be an error.
 */
export class NotCompilableError extends Error {
  override readonly name = 'NotCompilableError'
}
