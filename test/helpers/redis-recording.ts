import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import type { TestRedis } from './redis.js'

export interface RedisRecording {
  /** The commands that clients sent since the last call, each as its words, the name in lower case; what depends on the time left out. */
  take(): Promise<string[][]>
  stop(): void
}

/** Records with MONITOR what the server is really asked. */
export async function recordRedis({ url, client }: TestRedis): Promise<RedisRecording> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const lines = createInterface({ input: socket })
  let commands: string[][] = []
  lines.on('line', (line) => {
    const [, source, words = ''] = /^\+[\d.]+ \[\d+ (\S+)\] (.*)$/.exec(line) ?? []
    if (source === undefined || source === 'lua') return
    const [name = '', ...args] = [...words.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = '']) => word)
    commands.push([name.toLowerCase(), ...args])
  })
  socket.write('MONITOR\r\n')
  await once(lines, 'line')
  return {
    async take() {
      const marker = randomUUID()
      await client.echo(marker)
      while (!commands.some(([name, argument]) => name === 'echo' && argument === marker)) await once(lines, 'line')
      const taken = commands.filter(
        ([name, ...args]) => !housekeeping.has(name ?? '') && !args.some(isHousekeepingKey) && !isRenewal(args),
      )
      commands = []
      return taken
    },
    stop: () => socket.destroy(),
  }
}

const housekeeping = new Set(['echo', 'ping', 'info', 'hello', 'client', 'subscribe'])

/** Counts and the dashboard's samples are saved once a second, and the heartbeat comes ten times, whatever happens. */
function isHousekeepingKey(argument: string): boolean {
  return (
    argument.includes(':history:') ||
    argument.endsWith('counters}') ||
    argument.endsWith('removals}') ||
    argument.includes(':registration:')
  )
}

/** A lease is put in the place of itself while its fetch goes on, which takes that long on a busy machine only. */
function isRenewal(args: readonly string[]): boolean {
  return args.some((word, index) => word === 'held' && args[index + 1] === args[index + 2])
}
