import { EventEmitter } from 'node:events'
import { connect as dial, type NetConnectOpts, type Socket } from 'node:net'
import { type Deadline, destroyOnResponseTimeout, startDeadline } from 'cached-resolvers'
import { negotiateTls, type TlsPolicy } from './tls.js'

export interface SessionSocketOptions {
  to: NetConnectOpts
  /** Host name that the server's certificate must match */
  host: string
  tls: TlsPolicy | null
  /** SQL that runs first in each session. If this SQL fails, the connection fails. */
  setup: string
  /** Bounds everything before the first statement: TCP, TLS, authentication and setup. */
  connectTimeoutMs: number
  /** The connection is closed when the server has not responded to a message for this long; undefined for no limit. */
  responseTimeoutMs: number | undefined
}

/**
 * The socket used by postgres.js. The driver authenticates. This class withholds the ReadyForQuery that ends authentication, runs
 * the setup SQL, and forwards the ReadyForQuery of the setup instead. TLS is performed here because the driver sends no host name
 * (SNI) on a socket that is passed to the driver. A session that turns out to be read-only is closed as soon as no transaction
 * runs in it, so that the next connection may reach a writable server.
 */
export class SessionSocket extends EventEmitter {
  /**
   * In the phase `cancelling`, the driver has sent a CancelRequest. The server closes such a connection without a response, which
   * is no error.
   */
  private phase: 'authenticating' | 'settingUp' | 'ready' | 'cancelling' = 'authenticating'
  private stream: Socket
  /** Data that the driver wrote before the connection was open; null afterwards */
  private unsent: Buffer[] | null = []
  /** Received data that does not form a complete message yet */
  private unparsed: Buffer = Buffer.alloc(0)
  private isReadOnly = false
  private readonly deadline: Deadline

  constructor(private readonly options: SessionSocketOptions) {
    super()
    const { to, connectTimeoutMs } = options
    this.deadline = startDeadline(connectTimeoutMs, () =>
      this.stream.destroy(
        Object.assign(new Error('The database did not accept the connection in time'), { code: 'CONNECT_TIMEOUT' }),
      ),
    )
    this.stream = dial(to)
    this.addListeners(this.stream)
    this.stream.once('connect', () => this.onConnect())
  }

  get readyState() {
    return this.stream.readyState
  }

  /** Returns whether more may be written before `drain`. */
  write(data: Buffer, callback?: () => void): boolean {
    if (isCancelRequest(data)) this.phase = 'cancelling'
    if (this.unsent === null) return this.stream.write(data, callback)
    this.unsent.push(data)
    return true
  }

  end(data: Buffer): void {
    this.stream.end(data)
  }

  destroy(): void {
    this.stream.destroy()
  }

  setKeepAlive(enabled: boolean, delayMs: number): void {
    this.stream.setKeepAlive(enabled, delayMs)
  }

  private addListeners(socket: Socket): void {
    socket.on('error', (error) => this.fail(error))
    socket.on('close', (hadError) => {
      // The plain socket below a TLS socket is not relevant any more.
      if (socket !== this.stream) return
      this.deadline.cancel()
      // If the server closes the connection without an error before the session is ready, report an error. Otherwise the driver
      // would connect again whenever the server closes, and the waiting statement would never settle.
      if ((this.phase === 'authenticating' || this.phase === 'settingUp') && !hadError) this.fail(closedEarly())
      this.emit('close', hadError)
    })
    socket.on('drain', () => this.emit('drain'))
  }

  /**
   * Emits the error and closes the connection. The driver removes its listeners once the connection is closed, and without a
   * listener, emitting `error` would throw.
   */
  private fail(error: Error): void {
    if (this.listenerCount('error') > 0) this.emit('error', error)
    this.stream.destroy()
  }

  private onConnect(): void {
    const { tls, host } = this.options
    if (tls === null) this.startTransfer(this.stream)
    else
      negotiateTls(this.stream, tls, host).then(
        (secured) => this.onSecured(secured),
        (error) => this.fail(error),
      )
  }

  private onSecured(secured: Socket): void {
    if (secured !== this.stream) {
      this.stream = secured
      this.addListeners(secured)
    }
    this.startTransfer(secured)
  }

  /** Forwards data in both directions, beginning with the data that the driver wrote before the connection was open. */
  private startTransfer(stream: Socket): void {
    const { responseTimeoutMs } = this.options
    if (responseTimeoutMs !== undefined) destroyOnResponseTimeout(stream, responseTimeoutMs)
    stream.on('data', (chunk) => this.receive(chunk as Buffer))
    const unsent = this.unsent ?? []
    this.unsent = null
    for (const data of unsent) stream.write(data)
  }

  private receive(chunk: Buffer): void {
    if (this.phase === 'ready') this.forward(chunk)
    else this.receiveBeforeReady(chunk)
  }

  /**
   * Forwards received data to the driver. Closes a read-only session at the end of its transaction, so that the next connection
   * may reach a writable server.
   */
  private forward(chunk: Buffer): void {
    this.emit('data', chunk)
    this.isReadOnly ||= chunk.includes(readOnlyError)
    if (this.isReadOnly && chunk.subarray(-idle.length).equals(idle)) this.stream.destroy()
  }

  private receiveBeforeReady(chunk: Buffer): void {
    this.unparsed = Buffer.concat([this.unparsed, chunk])
    while (this.phase !== 'ready') {
      const length = messageLength(this.unparsed)
      if (length === undefined) return
      const message = this.unparsed.subarray(0, length)
      this.unparsed = this.unparsed.subarray(length)
      if (this.phase === 'authenticating') this.onAuthenticationMessage(message)
      else this.onSetupMessage(message)
    }
  }

  /**
   * Forwards messages to the driver, except the ReadyForQuery that ends authentication. Sends the setup SQL to the server in
   * response to this ReadyForQuery.
   */
  private onAuthenticationMessage(message: Buffer): void {
    if (message[0] === readyForQuery) {
      this.phase = 'settingUp'
      this.stream.write(queryMessage(this.options.setup))
    } else {
      this.emit('data', message)
    }
  }

  /**
   * Hides the responses to the setup SQL from the driver, except two: an error, with which the driver rejects the statement that
   * is waiting for the connection, and the ReadyForQuery that ends the setup.
   */
  private onSetupMessage(message: Buffer): void {
    if (message[0] === errorResponse) {
      this.emit('data', message)
      this.stream.destroy()
    }
    if (message[0] !== readyForQuery) return
    this.phase = 'ready'
    this.deadline.cancel()
    this.emit('data', Buffer.concat([message, this.unparsed]))
  }
}

function isCancelRequest(data: Buffer): boolean {
  return data.length === cancelRequestLength && data.readInt32BE(4) === cancelRequestCode
}

function closedEarly(): Error {
  return Object.assign(new Error('The server closed the connection before it could be used'), { code: 'ECONNRESET' })
}

/** Length of the first message including its type byte; undefined if the message is incomplete. */
function messageLength(data: Buffer): number | undefined {
  const length = data.length < headLength ? undefined : 1 + data.readInt32BE(1)
  return length !== undefined && length <= data.length ? length : undefined
}

function queryMessage(text: string): Buffer {
  const body = Buffer.from(`${text}\0`)
  const head = Buffer.alloc(headLength)
  head[0] = queryType
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const cancelRequestLength = 16
const cancelRequestCode = 80_877_102
const headLength = 5
const queryType = 'Q'.charCodeAt(0)
const errorResponse = 'E'.charCodeAt(0)
const readyForQuery = 'Z'.charCodeAt(0)
/** ReadyForQuery outside a transaction: the server sends no response after it until the next request. */
const idle = Buffer.from('Z\0\0\0\x05I')
/**
 * SQLSTATE 25006 and the start of the next field. Occurs only in an ErrorResponse, since text values of rows contain no zero
 * bytes.
 */
const readOnlyError = Buffer.from('\0C25006\0M')
