import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Random } from '../random.js'

/** The address of the attacker; honest clients use other addresses. */
const attackerAddress = '127.0.0.2'
const timeoutMs = 5_000

export interface AttackRequest {
  method?: string
  path?: string
  headers?: Readonly<Record<string, string>>
  body?: string
}

/** The connections of one attack. `close` ends all of them when the time of the attack is over. */
export class AttackSession {
  private readonly agent = new Agent({ keepAlive: true, localAddress: attackerAddress } as object)
  private readonly sockets = new Set<Socket>()
  private readonly webSockets = new Set<WebSocket>()

  constructor(
    readonly port: number,
    readonly random: Random,
    private readonly endsAt: number,
  ) {}

  get isRunning(): boolean {
    return performance.now() < this.endsAt
  }

  /**
   * Runs `count` workers, which repeat the step until the attack ends. They pause after a failed step, so that fast failures do
   * not loop.
   */
  async runWorkers(count: number, step: (worker: number) => Promise<unknown>): Promise<void> {
    const work = async (worker: number) => {
      while (this.isRunning) await step(worker).catch(() => sleep(20))
    }
    await Promise.all(Array.from({ length: count }, (_, worker) => work(worker)))
  }

  async wait(ms: number): Promise<void> {
    await sleep(Math.max(0, Math.min(ms, this.endsAt - performance.now())))
  }

  /** Resolves when the whole response has arrived. */
  send({ method = 'POST', path = '/graphql', headers, body }: AttackRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      const allHeaders = { 'content-type': 'application/json', ...headers }
      const sent = request({
        host: '127.0.0.1',
        port: this.port,
        method,
        path,
        agent: this.agent,
        headers: allHeaders,
        timeout: timeoutMs,
      })
      sent.on('response', (response) => response.resume().on('end', resolve).on('error', reject))
      sent.on('timeout', () => sent.destroy(new Error('no answer')))
      sent.on('error', reject)
      sent.end(body)
    })
  }

  query(query: string, variables?: unknown): Promise<void> {
    return this.send({ body: JSON.stringify({ query, ...(variables !== undefined && { variables }) }) })
  }

  /** Opens a raw TCP connection. */
  async open(): Promise<Socket> {
    const socket = connect({ port: this.port, host: '127.0.0.1', localAddress: attackerAddress })
    this.sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => this.sockets.delete(socket))
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject).once('close', reject))
    return socket
  }

  /** Opens a WebSocket with the subprotocol graphql-transport-ws and sends connection_init. */
  async webSocket(): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/graphql`, 'graphql-transport-ws', {
      localAddress: attackerAddress,
      handshakeTimeout: timeoutMs,
    })
    this.webSockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => this.webSockets.delete(socket))
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject).once('close', reject))
    socket.send('{"type":"connection_init"}')
    return socket
  }

  close(): void {
    this.agent.destroy()
    for (const socket of this.sockets) socket.destroy()
    for (const socket of this.webSockets) socket.terminate()
  }
}
