import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import type { TestRedis } from './redis.js'

export interface RedisRecording {
  /**
   * Returns the commands of clients since the last call: arguments with the name in lower case, without time-dependent commands.
   */
  take(): Promise<string[][]>
  stop(): void
}

/** Records the commands that the server receives, with MONITOR. */
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

/**
 * Counters and samples of the dashboard are saved once a second, and heartbeats are sent ten times a second, independent of the
 * test.
 */
function isHousekeepingKey(argument: string): boolean {
  return (
    argument.includes(':history:') ||
    argument.endsWith('counters}') ||
    argument.endsWith('removals}') ||
    argument.includes(':registration:')
  )
}

/** A lease is renewed during a long fetch, which only happens on a busy machine. */
function isRenewal(args: readonly string[]): boolean {
  return args.some((word, index) => word === 'mustExist' && args[index + 1] === args[index + 2])
}
