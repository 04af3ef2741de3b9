import { cpus, totalmem } from 'node:os'
import process from 'node:process'

export interface Machine {
  cpu: string
  cores: number
  memoryGb: number
  node: string
  system: string
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown CPU',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    node: process.version,
    system: `${process.platform} ${process.arch}`,
  }
}
