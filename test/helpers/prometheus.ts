interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}
export type Samples = readonly Sample[]

/** Reads /metrics on a new connection. */
export async function readMetrics(origin: string): Promise<Samples> {
  const text = await (await fetch(`${origin}/metrics`, { headers: { connection: 'close' } })).text()
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(readSample)
}

/** Sum of all samples with this name and these labels */
export function sumOf(samples: Samples, name: string, labels: Record<string, string> = {}): number {
  return samples
    .filter((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0)
}

function readSample(line: string): Sample {
  const [, name = '', labels = '', value] = /^([\w:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  if (value === undefined) throw new Error(`Not a Prometheus sample: ${line}`)
  return {
    name,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label, text])),
    value: Number(value),
  }
}
