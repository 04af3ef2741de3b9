/** An error that the server answered with */
export class ReplyError extends Error {
  override readonly name = 'ReplyError'
}
