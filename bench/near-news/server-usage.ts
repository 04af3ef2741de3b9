import type { RedisServer } from '../../torture/redis-server.js'

/** All but the memory since its start */
export interface ServerUsage {
  cpuMs: number
  commands: number
  sentBytes: number
  memoryBytes: number
}

/** CPU from getrusage: finer than the hundredths of a second in /proc. */
export async function readServer({ client }: RedisServer): Promise<ServerUsage> {
  const info = await client.info('everything')
  const read = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
  return {
    cpuMs: 1000 * (read('used_cpu_user') + read('used_cpu_sys')),
    commands: read('total_commands_processed'),
    sentBytes: read('total_net_output_bytes'),
    memoryBytes: read('used_memory'),
  }
}
