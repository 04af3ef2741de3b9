import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Stalls {
  count: number
  stoppedMs: number
  runningMs: number
}

/** Stops and continues a process `count` times, like the CPU limit of a container. */
export async function stall(pid: number, { count, stoppedMs, runningMs }: Stalls): Promise<void> {
  for (let done = 0; done < count; done += 1) {
    process.kill(pid, 'SIGSTOP')
    await sleep(stoppedMs)
    process.kill(pid, 'SIGCONT')
    await sleep(runningMs)
  }
}
