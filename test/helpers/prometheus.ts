interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}
export type Samples = readonly Sample[]

/** What /metrics says, on a connection of its own */
export async function readMetrics(origin: string): Promise<Samples> {
  const text = await (await fetch(`${origin}/metrics`, { headers: { connection: 'close' } })).text()
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(readSample)
}

/** Over all samples of that name that have these labels */
export function sumOf(samples: Samples, name: string, labels: Record<string, string> = {}): number {
  return samples
    .filter((its) => its.name === name && Object.entries(labels).every(([label, value]) => its.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0)
}

function readSample(line: string): Sample {
  const [, name = '', labels = '', value] = /^([\w:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  if (value === undefined) throw new Error(`This is no sample: ${line}`)
  return {
    name,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, its, text]) => [its, text])),
    value: Number(value),
  }
}
