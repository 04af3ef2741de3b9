import cluster from 'node:cluster'
import process from 'node:process'
import { announce } from './shared/environment.js'

// node cluster.js <entry> <number of processes>: starts a peer in several processes on one port. They end with this process.

const [entry, count] = process.argv.slice(2) as [string, string]
const listening = new Set<number>()

// The processes announce themselves, too: without their output, the benchmark waits for the last of them.
cluster.setupPrimary({ exec: entry, silent: true })
cluster.on('listening', ({ id }) => {
  listening.add(id)
  if (listening.size === Number(count)) announce()
})
cluster.on('exit', () => process.exit(1))
for (let index = 0; index < Number(count); index += 1) cluster.fork().process.stderr?.pipe(process.stderr)
