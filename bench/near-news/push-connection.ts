import type { Socket } from 'node:net'
import { parseReply, type Reply } from './resp3.js'

/** ioredis 6 speaks RESP3 but drops the pushes of client tracking. This hands them on: keys, or null for all. */
export class PushConnection {
  private text = ''
  private readonly waiting: ((reply: Reply) => void)[] = []

  constructor(
    private readonly socket: Socket,
    private readonly invalidated: (keys: string[] | null) => void,
  ) {
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.receive(text))
  }

  send(...words: string[]): Promise<Reply> {
    this.socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`)
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  close(): void {
    this.socket.destroy()
  }

  private receive(text: string): void {
    this.text += text
    let at = 0
    for (let read = parseReply(this.text, at); read; read = parseReply(this.text, at)) {
      if (this.text[at] === '>') this.invalidated((read.reply as Reply[])[1] as string[] | null)
      else this.waiting.shift()?.(read.reply)
      at = read.end
    }
    this.text = this.text.slice(at)
  }
}
