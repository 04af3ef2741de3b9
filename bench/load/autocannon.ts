import { readFileSync } from 'node:fs'
import process from 'node:process'
import autocannon from 'autocannon'

// Used without wrk: node autocannon.js <url> <connections> <seconds> <file of bodies> <seed>. Prints the same line as wrk.lua.

const [url, connections, seconds, file, seed] = process.argv.slice(2) as [string, string, string, string, string]
const bodies = readFileSync(file, 'utf8').trimEnd().split('\n')
let state = Number(seed)

const result = await autocannon({
  url,
  connections: Number(connections),
  duration: Number(seconds),
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/json' },
  requests: [{ setupRequest: (request) => ({ ...request, body: drawBody() }) }],
})

const { requests, latency, duration, throughput, errors, timeouts, non2xx } = result
const summary = {
  requests: requests.total,
  durationUs: duration * 1_000_000,
  bytes: throughput.total,
  p50Us: latency.p50 * 1_000,
  p99Us: latency.p99 * 1_000,
  failed: errors + timeouts + non2xx,
}
console.log(JSON.stringify(summary))

function drawBody(): string {
  // A linear congruential generator suffices: ids must only vary and be reproducible by seed.
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return bodies[Math.floor((state / 2 ** 32) * bodies.length)] as string
}
