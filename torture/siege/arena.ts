import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Random } from '../random.js'

/** All of it comes from here; honest clients have other addresses. */
const enemyAddress = '127.0.0.2'
const patienceMs = 5_000

export interface Sending {
  method?: string
  path?: string
  headers?: Readonly<Record<string, string>>
  body?: string
}

/** The means of one attack: whatever it opened is cut off when its time is up. */
export class Arena {
  private readonly agent = new Agent({ keepAlive: true, localAddress: enemyAddress } as object)
  private readonly sockets = new Set<Socket>()
  private readonly webSockets = new Set<WebSocket>()

  constructor(
    readonly port: number,
    readonly random: Random,
    private readonly endsAt: number,
  ) {}

  get goesOn(): boolean {
    return performance.now() < this.endsAt
  }

  /** So many do it again and again, for as long as the attack lasts. A step that fails at once is not repeated at once. */
  async many(count: number, step: (worker: number) => Promise<unknown>): Promise<void> {
    const work = async (worker: number) => {
      while (this.goesOn) await step(worker).catch(() => sleep(20))
    }
    await Promise.all(Array.from({ length: count }, (_, worker) => work(worker)))
  }

  async wait(ms: number): Promise<void> {
    await sleep(Math.max(0, Math.min(ms, this.endsAt - performance.now())))
  }

  /** Resolves when the answer is there as a whole. */
  send({ method = 'POST', path = '/graphql', headers, body }: Sending): Promise<void> {
    return new Promise((resolve, reject) => {
      const its = { 'content-type': 'application/json', ...headers }
      const sent = request({
        host: '127.0.0.1',
        port: this.port,
        method,
        path,
        agent: this.agent,
        headers: its,
        timeout: patienceMs,
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

  /** A connection on which anything may be said */
  async open(): Promise<Socket> {
    const socket = connect({ port: this.port, host: '127.0.0.1', localAddress: enemyAddress })
    this.sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => this.sockets.delete(socket))
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject).once('close', reject))
    return socket
  }

  /** One that speaks graphql-transport-ws, acknowledged */
  async webSocket(): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/graphql`, 'graphql-transport-ws', {
      localAddress: enemyAddress,
      handshakeTimeout: patienceMs,
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
