/** An error of the server or the connection, with the codes of "PostgreSQL Error Codes" and postgres.js */
export class PostgresError extends Error {
  override readonly name = 'PostgresError'

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}
