import { bundle } from './bundle.js'
import { load } from './load.js'
import type { Options } from './options.js'
import { onAllCores, SimulationWorker } from './workers.js'
import type { Failure, Outcome, Task } from './world/serve.js'

/** Runs `options.schedules` schedules on all cores. Returns the failures in the order of their seeds. */
export async function runSchedules(options: Options, print: (line: string) => void): Promise<Failure[]> {
  return runBatch({ ...options, from: options.seed }, await bundle(options.mutant), print)
}

/** Runs every schedule of the small world. */
export async function runSmallWorld(options: Options, print: (line: string) => void): Promise<Failure[]> {
  const code = await bundle(options.mutant)
  const { length } = await load(code).smallWorld()
  return runBatch({ ...options, from: 0, schedules: length, profiles: 'small world' }, code, print)
}

interface Batch {
  profiles: Task['profiles']
  from: number
  schedules: number
}

async function runBatch({ profiles, from: first, schedules }: Batch, code: string, print: (line: string) => void) {
  const workers = new Map<number, SimulationWorker>()
  const outcomes: Outcome[] = []
  const startedAt = performance.now()
  const reportProgress = progressReporter(schedules, print)
  await onAllCores(chunks(first, schedules), async ([from, to], core) => {
    const worker = workers.get(core) ?? new SimulationWorker(code)
    workers.set(core, worker)
    outcomes.push(await worker.run({ from, to, profiles, untilFailure: false }))
    reportProgress(outcomes)
  })
  await Promise.all([...workers.values()].map((worker) => worker.stop()))
  const seconds = (performance.now() - startedAt) / 1000
  const sum = (pick: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + pick(outcome), 0)
  const failures = outcomes.flatMap((outcome) => outcome.failures).sort((a, b) => a.seed - b.seed)
  const events = sum((outcome) => outcome.events)
  print(
    `${schedules} schedules in ${seconds.toFixed(1)} s: ${(schedules / seconds).toFixed(0)} schedules and ` +
      `${(events / seconds).toFixed(0)} events a second, ${(sum(({ virtualMs }) => virtualMs) / 1000 / seconds).toFixed(0)} times real time; ` +
      `${sum(({ reads }) => reads)} reads judged, ${failures.length} schedules failed`,
  )
  for (const line of failureTable(failures)) print(line)
  return failures
}

function* chunks(seed: number, count: number): Generator<[from: number, to: number]> {
  for (let from = seed; from < seed + count; from += chunkSize) yield [from, Math.min(from + chunkSize, seed + count)]
}

/** Returns a function that prints the progress, at most one line in `progressMs`. */
function progressReporter(schedules: number, print: (line: string) => void): (outcomes: readonly Outcome[]) => void {
  let lastAt = performance.now()
  return (outcomes) => {
    if (performance.now() - lastAt < progressMs) return
    lastAt = performance.now()
    const done = outcomes.reduce((total, outcome) => total + outcome.schedules, 0)
    const failed = outcomes.reduce((total, { failures }) => total + failures.length, 0)
    print(`${done} of ${schedules} schedules, ${failed} failed`)
  }
}

/** Failures by profile and kind, with the first seeds of each */
function failureTable(failures: readonly Failure[]): string[] {
  const seeds = new Map<string, number[]>()
  for (const { profile, kinds, seed } of failures) {
    for (const kind of kinds) {
      const row = `${profile.padEnd(14)}${kind}`
      seeds.set(row, [...(seeds.get(row) ?? []), seed])
    }
  }
  return [...seeds]
    .sort()
    .map(([row, failed]) => `  ${row.padEnd(50)}${String(failed.length).padStart(5)}  seeds ${failed.slice(0, 6).join(', ')}`)
}

const chunkSize = 25
const progressMs = 10_000
