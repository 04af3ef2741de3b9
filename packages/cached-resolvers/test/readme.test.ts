import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const readme = readFileSync('packages/cached-resolvers/README.md', 'utf8')
const examples = [...readme.matchAll(/```ts\n((?:(?!```).)*)```\n\nIt prints:\n\n```\n(.*?)```/gs)]

test.each(['declared', 'example'].map((name, index) => [name, examples[index]?.[1], examples[index]?.[2]] as const))(
  'the example "%s" in the README of the engine runs, and prints what the README says',
  (name, code, output) => {
    const file = `packages/cached-resolvers/test/processes/${name}.ts`
    expect(readFileSync(file, 'utf8')).toBe(code)
    expect(execFileSync(process.execPath, ['--import', 'tsx', file], { encoding: 'utf8' })).toBe(output)
  },
)
