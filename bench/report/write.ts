import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describeMachine } from '../harness/machine.js'
import { root } from '../harness/prepare.js'
import { compareChart } from './compare-chart.js'
import { compareSection } from './compare-section.js'
import { mixedChart } from './mixed-chart.js'
import { mixedSection } from './mixed-section.js'
import type { Results, Section } from './results.js'
import { coldSection, costSection, invalidationSection, listsSection, memorySection, startSection } from './sections.js'

const folder = join(root, 'bench', 'results')

/**
 * Replaces a section of results.json and regenerates results.md and the charts from it. Incomplete runs (quick ones, or of some
 * servers only) are written to partial.* instead, which git ignores. Returns the text of the section.
 */
export async function writeSection<Name extends keyof Results>(
  name: Name,
  content: Exclude<Results[Name], undefined> extends Section<infer Content> ? Content : never,
  options: { quick: boolean; partial?: boolean },
): Promise<string> {
  const file = options.quick || options.partial ? 'partial' : 'results'
  const base = join(folder, file)
  const section = { date: new Date().toISOString(), machine: describeMachine(), quick: options.quick, content }
  const results: Results = { ...readResults(`${base}.json`), [name]: section }
  await mkdir(folder, { recursive: true })
  await writeFile(`${base}.json`, `${JSON.stringify(results, null, 2)}\n`)
  await writeFile(`${base}.md`, document(results, file))
  if (results.compare) await writeFile(`${base}.svg`, compareChart(results.compare))
  if (results.mixed) await writeFile(`${base}-mixed.svg`, mixedChart(results.mixed))
  return (texts(results)[name] as () => string)()
}

function readResults(path: string): Results {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Results) : {}
}

function document(results: Results, file: string): string {
  const pictures: Partial<Record<keyof Results, string>> = {
    compare: `\n\n![Ratios to the limit](${file}.svg)`,
    mixed: `\n\n![Reads per second and stale answers](${file}-mixed.svg)`,
  }
  const sections = (Object.keys(titles) as (keyof Results)[]).flatMap((name) => {
    const section = results[name]
    if (!section) return []
    return `## ${titles[name]}\n\n${origin(section)}${pictures[name] ?? ''}\n\n${(texts(results)[name] as () => string)()}`
  })
  return `# Results\n\nWritten by \`npm run bench\`; see [the README](../README.md) for what is compared.\n\n${sections.join('\n\n')}\n`
}

const titles: Record<keyof Results, string> = {
  compare: 'Comparison',
  mixed: 'Reads and writes, with stale answers',
  cold: 'Cold and half cold',
  invalidation: 'Invalidation',
  memory: 'Memory',
  start: 'Start',
  cost: 'Points and CPU',
  lists: 'Sorted and filtered lists',
}

function texts({
  compare,
  cold,
  invalidation,
  memory,
  start,
  cost,
  lists,
  mixed,
}: Results): Partial<Record<keyof Results, () => string>> {
  return {
    ...(compare && { compare: () => compareSection(compare.content) }),
    ...(mixed && { mixed: () => mixedSection(mixed.content) }),
    ...(cold && { cold: () => coldSection(cold.content) }),
    ...(invalidation && { invalidation: () => invalidationSection(invalidation.content) }),
    ...(memory && { memory: () => memorySection(memory.content) }),
    ...(start && { start: () => startSection(start.content) }),
    ...(lists && { lists: () => listsSection(lists.content) }),
    ...(cost && { cost: () => costSection(cost.content) }),
  }
}

function origin({ date, machine, quick }: Section<unknown>): string {
  const { cpu, cores, memoryGb, node, system } = machine
  const smoke = quick ? ' **A smoke test: the numbers are meaningless.**' : ''
  return `${date.slice(0, 16).replace('T', ' ')} UTC, ${cpu}, ${cores} cores, ${memoryGb} GB, ${system}, Node ${node}.${smoke}`
}
