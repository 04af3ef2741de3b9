import { Agent, request } from 'node:http'

export interface Reply {
  status: number
  text: string
}

/** An HTTP client for warm-up, checks and fixed numbers of requests, which need no load generator. */
export class Client {
  private readonly agent: Agent

  constructor(
    private readonly url: string,
    private readonly connections: number,
  ) {
    this.agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  post(body: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        accept: 'application/json',
        'content-length': Buffer.byteLength(body),
      }
      const options = { method: 'POST', agent: this.agent, headers, timeout: 20_000 }
      const sent = request(this.url, options, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        response.on('error', reject)
      })
      sent.on('timeout', () => sent.destroy(new Error(`${this.url} did not answer in 20 s`)))
      sent.on('error', reject)
      sent.end(body)
    })
  }

  /** Returns the data. Throws if the answer has errors. */
  async query<Data>(body: string): Promise<Data> {
    const { status, text } = await this.post(body)
    const { data, errors } = JSON.parse(text) as { data?: Data; errors?: unknown }
    if (status !== 200 || errors !== undefined || data == null)
      throw new Error(`${this.url} answered ${status}: ${text.slice(0, 500)}`)
    return data
  }

  /** Sends all bodies, with as many requests at a time as there are connections. */
  async postAll(bodies: readonly string[], onReply: (index: number, reply: Reply, tookMs: number) => void): Promise<void> {
    const left = bodies.entries()
    const send = async () => {
      for (const [index, body] of left) {
        const startedAt = performance.now()
        const reply = await this.post(body)
        onReply(index, reply, performance.now() - startedAt)
      }
    }
    await Promise.all(Array.from({ length: this.connections }, send))
  }

  close(): void {
    this.agent.destroy()
  }
}
