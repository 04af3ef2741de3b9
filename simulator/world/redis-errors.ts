/** An error reply of the server */
export class ReplyError extends Error {
  override readonly name = 'ReplyError'
}
