import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { TestRedis } from './redis.js'

export interface RedisRecording {
  /** The commands that clients sent since the last call, each as its words, the name in lower case; heartbeats left out. */
  take(): Promise<string[][]>
  stop(): void
}

/** Records with MONITOR what the server is really asked. */
export async function recordRedis({ client }: TestRedis): Promise<RedisRecording> {
  const monitor = await client.monitor()
  let commands: string[][] = []
  monitor.on('monitor', (_time: string, [name = '', ...args]: string[], source: string) => {
    if (source !== 'lua') commands.push([name.toLowerCase(), ...args])
  })
  return {
    async take() {
      const marker = randomUUID()
      await client.echo(marker)
      while (!commands.some(([name, argument]) => name === 'echo' && argument === marker)) await once(monitor, 'monitor')
      const taken = commands.filter(
        ([name, ...args]) => !['echo', 'ping', 'info', 'hello', 'client'].includes(name ?? '') && !args.some(isCounter),
      )
      commands = []
      return taken
    },
    stop: () => monitor.disconnect(),
  }
}

/** Counts are saved once a second, whatever happens. */
function isCounter(argument: string): boolean {
  return argument.endsWith(':counters}')
}
