import { readFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { post } from '../post.js'
import type { ServedProcess } from '../served-process.js'
import { Tally } from '../tally.js'

export interface PhaseOptions {
  name: string
  clients: number
  seconds: number
}

/** What clients and the operator saw */
export interface Phase {
  name: string
  clients: number
  /** As it turned out */
  seconds: number
  /** Of answers and of refusals, in milliseconds */
  answeredMs: number[]
  refusedMs: number[]
  /** By cause: neither an answer nor a refusal that says when to come back */
  failures: Tally
  /** Twice a second, in megabytes */
  residentMb: number[]
  /** How long each question took whether the process lives, in milliseconds; infinite where there was no answer in time */
  probesMs: number[]
}

const lookEveryMs = 500
/** What deploy/kubernetes gives a probe */
const probeMs = 2_000

/** Clients that give nothing up: each asks for something dear again as soon as it has an answer, on a connection that it keeps. Throws when the
 * process ends. */
export async function runPhase(served: ServedProcess, { name, clients, seconds }: PhaseOptions): Promise<Phase> {
  const phase: Phase = {
    ...{ name, clients, seconds, answeredMs: [], refusedMs: [], residentMb: [], probesMs: [] },
    failures: new Tally(),
  }
  const startedAt = performance.now()
  const until = startedAt + seconds * 1_000
  const goesOn = () => performance.now() < until && served.isRunning
  await Promise.all([
    ...Array.from({ length: clients }, (_, client) => ask(served, phase, client, goesOn)),
    look(served, phase, goesOn),
  ])
  served.expectRunning()
  phase.seconds = (performance.now() - startedAt) / 1_000
  return phase
}

async function ask({ port }: ServedProcess, phase: Phase, client: number, goesOn: () => boolean): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let round = 0; goesOn(); round += 1) {
    const startedAt = performance.now()
    try {
      const { status, headers, body } = await post(agent, port, dear(`${phase.name} ${client} ${round}`))
      const tookMs = performance.now() - startedAt
      if (status === 200 && body.startsWith('{"data":{"product":{"id":"product_1",')) phase.answeredMs.push(tookMs)
      else if (status === 503 && headers['retry-after'] === '1') phase.refusedMs.push(tookMs)
      else phase.failures.add(`status ${status}: ${body.slice(0, 100)}`)
    } catch (error) {
      phase.failures.add((error as Error).message)
    }
  }
  agent.destroy()
}

async function look({ port, pid }: ServedProcess, phase: Phase, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    phase.residentMb.push(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024)
    phase.probesMs.push(await probe(port))
    await sleep(lookEveryMs)
  }
}

async function probe(port: number): Promise<number> {
  const startedAt = performance.now()
  const [headers, signal] = [{ connection: 'close' }, AbortSignal.timeout(probeMs)]
  const isAlive = await fetch(`http://127.0.0.1:${port}/livez`, { headers, signal }).then(
    ({ ok }) => ok,
    () => false,
  )
  return isAlive ? performance.now() - startedAt : Number.POSITIVE_INFINITY
}

/** A document that nobody has sent before: dear to parse and validate, with a short answer */
function dear(name: string): string {
  return JSON.stringify({ query: `# ${name}\n{ product(id: "product_1") { ${'id name price '.repeat(150)} } }` })
}
