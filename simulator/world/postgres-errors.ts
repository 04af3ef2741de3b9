/** An error of the server or of its connection; codes as in "PostgreSQL Error Codes" and postgres.js */
export class PostgresError extends Error {
  override readonly name = 'PostgresError'

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}
