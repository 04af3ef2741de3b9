import { readdirSync } from 'node:fs'
import process from 'node:process'

/** What a command did: its output, its exit code, and the names of files in the current folder afterwards */
export interface CommandResult {
  stdout: string
  stderr: string
  code: number
  files: string[]
}

/** A file of this repository, and the only argument of its run */
export type CommandRun = [file: string, option: string]

class ExitError extends Error {}

// Runs commands one after another in this process, which loads what they share only once. Prints the results by file and option.
const print = process.stdout.write.bind(process.stdout)
const root = new URL('../../..', import.meta.url)
const results: Record<string, Record<string, CommandResult>> = {}
for (const [file, option] of JSON.parse(process.argv[2] as string) as CommandRun[]) {
  results[file] ??= {}
  results[file][option] = await runCommand(new URL(`${file}?with=${option}`, root).href, option)
}
print(JSON.stringify(results))
process.exitCode = 0

async function runCommand(url: string, option: string): Promise<CommandResult> {
  const result: CommandResult = { stdout: '', stderr: '', code: 0, files: [] }
  for (const name of ['stdout', 'stderr'] as const)
    process[name].write = (text: string | Uint8Array) => {
      result[name] += text
      return true
    }
  process.argv = [process.execPath, url, option]
  process.exitCode = 0
  process.exit = (code = process.exitCode) => {
    process.exitCode = code ?? 0
    throw new ExitError()
  }
  await import(url).catch((error) => {
    if (!(error instanceof ExitError)) throw error
  })
  return { ...result, code: Number(process.exitCode), files: readdirSync('.') }
}
