import { EventEmitter } from 'node:events'
import { connect as dial, type NetConnectOpts, type Socket } from 'node:net'
import { type Deadline, endWhenSilent, startDeadline } from 'cached-resolvers'
import { negotiateTls, type TlsPolicy } from './tls.js'

export interface SessionSocketOptions {
  to: NetConnectOpts
  /** Of whom the server's certificate speaks */
  host: string
  tls: TlsPolicy | null
  /** SQL that each session begins with; where it fails, so does the connection. */
  setup: string
  /** For all that comes before the first statement */
  connectTimeoutMs: number
  /** The connection is ended when something that was sent has had no answer for that long; undefined for never. */
  silenceMs: number | undefined
}

/**
 * What postgres.js takes for its socket: it begins with authentication, and finds the session set up when that is done. TLS is made here,
 * since the driver tells the server no name on a socket that it was given. A session that turns out to be read only is ended as soon as no
 * transaction runs in it, so that the next connection may find a server, or a setting, that lets it write.
 */
export class SessionSocket extends EventEmitter {
  private phase: 'authenticating' | 'settingUp' | 'ready' | 'cancelling' = 'authenticating'
  private stream: Socket
  /** What the driver wrote while there was no connection */
  private unsent: Buffer[] | null = []
  private incomplete: Buffer = Buffer.alloc(0)
  private isReadOnly = false
  private readonly deadline: Deadline

  constructor(private readonly options: SessionSocketOptions) {
    super()
    const { to, connectTimeoutMs } = options
    this.deadline = startDeadline(connectTimeoutMs, () =>
      this.stream.destroy(Object.assign(new Error('The database cannot be connected to in time'), { code: 'CONNECT_TIMEOUT' })),
    )
    this.stream = dial(to)
    this.listen(this.stream)
    this.stream.once('connect', () => this.connected())
  }

  get readyState() {
    return this.stream.readyState
  }

  /** Answers whether more may be written before `drain`. */
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

  /** The driver listens until it has heard that the connection is closed, and to nothing afterwards. */
  private listen(socket: Socket): void {
    socket.on('error', (error) => this.fail(error))
    socket.on('close', (hadError) => {
      if (socket !== this.stream) return
      this.deadline.cancel()
      // The driver would try for ever, and its statement wait.
      if (this.phase === 'authenticating' && !hadError) this.fail(endedEarly())
      this.emit('close', hadError)
    })
    socket.on('drain', () => this.emit('drain'))
  }

  private fail(error: Error): void {
    if (this.listenerCount('error') > 0) this.emit('error', error)
    this.stream.destroy()
  }

  private connected(): void {
    const { tls, host } = this.options
    if (tls === null) this.open(this.stream)
    else
      negotiateTls(this.stream, tls, host).then(
        (secured) => this.replaceBy(secured),
        (error) => this.fail(error),
      )
  }

  private replaceBy(secured: Socket): void {
    if (secured !== this.stream) {
      this.stream = secured
      this.listen(secured)
    }
    this.open(secured)
  }

  private open(stream: Socket): void {
    const { silenceMs } = this.options
    if (silenceMs !== undefined) endWhenSilent(stream, silenceMs)
    stream.on('data', (chunk) => this.receive(chunk as Buffer))
    const unsent = this.unsent ?? []
    this.unsent = null
    for (const data of unsent) stream.write(data)
  }

  private receive(chunk: Buffer): void {
    if (this.phase === 'ready') this.forward(chunk)
    else this.begin(chunk)
  }

  private forward(chunk: Buffer): void {
    this.emit('data', chunk)
    this.isReadOnly ||= chunk.includes(readOnlyError)
    if (this.isReadOnly && chunk.subarray(-idle.length).equals(idle)) this.stream.destroy()
  }

  private begin(chunk: Buffer): void {
    this.incomplete = Buffer.concat([this.incomplete, chunk])
    while (this.phase !== 'ready') {
      const length = messageLength(this.incomplete)
      if (length === undefined) return
      const message = this.incomplete.subarray(0, length)
      this.incomplete = this.incomplete.subarray(length)
      if (this.phase === 'authenticating') this.authenticate(message)
      else this.setUp(message)
    }
  }

  private authenticate(message: Buffer): void {
    if (message[0] === readyForQuery) {
      this.phase = 'settingUp'
      this.stream.write(queryMessage(this.options.setup))
    } else {
      this.emit('data', message)
    }
  }

  /** The driver learns of nothing but a failure, which is then the fault of the statement that waits for the connection. */
  private setUp(message: Buffer): void {
    if (message[0] === errorResponse) {
      this.emit('data', message)
      this.stream.destroy()
    }
    if (message[0] !== readyForQuery) return
    this.phase = 'ready'
    this.deadline.cancel()
    this.emit('data', Buffer.concat([message, this.incomplete]))
  }
}

function isCancelRequest(data: Buffer): boolean {
  return data.length === cancelRequestLength && data.readInt32BE(4) === cancelRequestCode
}

function endedEarly(): Error {
  return Object.assign(new Error('The server ended the connection before it could be used'), { code: 'ECONNRESET' })
}

/** Of the first message, its type included; undefined where its head has not come, or its end. */
function messageLength(data: Buffer): number | undefined {
  const length = data.length < headLength ? undefined : 1 + data.readInt32BE(1)
  return length !== undefined && length <= data.length ? length : undefined
}

function queryMessage(text: string): Buffer {
  const body = Buffer.from(`${text}\0`)
  const head = Buffer.alloc(headLength)
  head[0] = query
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const cancelRequestLength = 16
const cancelRequestCode = 80_877_102
const headLength = 5
const query = 'Q'.charCodeAt(0)
const errorResponse = 'E'.charCodeAt(0)
const readyForQuery = 'Z'.charCodeAt(0)
/** ReadyForQuery, outside of transactions: the last that a server sends until it is asked for more */
const idle = Buffer.from('Z\0\0\0\x05I')
/** SQLSTATE and the field behind it, as in an ErrorResponse only: texts of rows hold no zero bytes. */
const readOnlyError = Buffer.from('\0C25006\0M')
