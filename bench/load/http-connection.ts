import { connect, type Socket } from 'node:net'

/** Called with the body as Latin-1: ids and numbers are ASCII, and only they are read. */
export type OnResponse = (status: number, body: string) => void

/**
 * A kept-alive connection for one request at a time. It needs little CPU time: requests are prepared bytes, and of a response it reads only
 * the status and the body, whose length must be given.
 */
export class HttpConnection {
  private readonly socket: Socket
  private received: Buffer | null = null
  private onResponse: OnResponse | null = null

  /** `onError` is called once at most, if the connection fails or a response cannot be read. */
  constructor(
    { hostname, port }: URL,
    private readonly onError: (error: Error) => void,
  ) {
    this.socket = connect({ host: hostname, port: Number(port), noDelay: true })
    this.socket.on('data', (chunk: Buffer) => this.receive(chunk))
    this.socket.once('error', (error) => this.fail(error))
    this.socket.once('close', () => this.fail(new Error('The server closed a connection')))
  }

  send(request: Buffer, onResponse: OnResponse): void {
    this.onResponse = onResponse
    this.socket.write(request)
  }

  close(): void {
    this.socket.removeAllListeners('close').destroy()
  }

  private receive(chunk: Buffer): void {
    this.received = this.received === null ? chunk : Buffer.concat([this.received, chunk])
    try {
      const response = readResponse(this.received)
      if (response === null) return
      const { onResponse } = this
      if (onResponse === null) throw new Error('The server sent a response without a request')
      this.received = null
      this.onResponse = null
      onResponse(response.status, response.body)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  private fail(error: Error): void {
    this.close()
    this.onError(error)
  }
}

/** Returns null if the response is incomplete. Throws if its length is not given, or if more bytes follow. */
function readResponse(received: Buffer): { status: number; body: string } | null {
  const headersEnd = received.indexOf('\r\n\r\n')
  if (headersEnd < 0) return null
  const headers = received.toString('latin1', 0, headersEnd)
  const length = contentLength.exec(headers)?.[1]
  if (length === undefined) throw new Error(`A response has no content-length:\n${headers}`)
  const bodyStart = headersEnd + 4
  const end = bodyStart + Number(length)
  if (received.length < end) return null
  if (received.length > end) throw new Error('The server sent more than one response')
  const status = Number(headers.slice(statusStart, statusStart + 3))
  return { status, body: received.toString('latin1', bodyStart, end) }
}

const contentLength = /\r\ncontent-length: *(\d+)/i
const statusStart = 'HTTP/1.1 '.length
