import { readFileSync } from 'node:fs'
import process from 'node:process'
import { parseEnv } from 'node:util'
import { ConfigError, variableNames } from '../config.js'

/**
 * Adds the variables of the file .env in the current folder to the variables of this process, and returns them. Variables that
 * the process already has are not changed. Throws ConfigError if the file cannot be read or has lines without effect.
 */
export function readEnvironment(file = '.env', environment = process.env): Readonly<Record<string, string | undefined>> {
  for (const [name, value] of Object.entries(readEnvFile(file))) environment[name] ??= value
  return environment
}

function readEnvFile(file: string): NodeJS.Dict<string> {
  const text = readText(file)
  const variables = parseEnv(text)
  const problems = [
    ...ineffectiveLines(text, variables).map((line) => `Line ${line} of ${file} has no effect: write NAME=value`),
    ...overriddenLines(text).map(
      ({ name, line, last }) => `Line ${line} of ${file} has no effect: line ${last} sets ${name} again. Keep one of them`,
    ),
  ]
  if (problems.length > 0) throw new ConfigError(problems)
  return variables
}

/** Decodes the file without a byte order mark, which the parser would treat as a part of the first name. */
function readText(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    if (error.code === 'ENOENT') return ''
    const reason = error.code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : error.message
    throw new ConfigError([`${file} cannot be read: ${reason}`])
  }
}

/** Finds the lines that set a variable of this server that a later line sets again. */
function overriddenLines(text: string): { name: string; line: number; last: number }[] {
  // A quoted value may have lines that look like variables.
  const lines = text.replace(/=[^\S\n]*(["'`]).*?\1/gs, (value) => value.replace(/[^\n]/g, '=')).split('\n')
  return variableNames.flatMap((name) => {
    const setting = new RegExp(`^\\s*(export\\s+)?${name}\\s*=`)
    const found = lines.flatMap((content, index) => (setting.test(content) ? [index + 1] : []))
    const last = found.at(-1) as number
    return found.slice(0, -1).map((line) => ({ name, line, last }))
  })
}

/** Returns the numbers of the lines that the parser skipped because of bad syntax, or parsed as a part of the next name. */
function ineffectiveLines(text: string, variables: NodeJS.Dict<string>): number[] {
  const names = Object.keys(variables)
  const malformed = names.filter((name) => !/^[\w.-]+$/.test(name)).map((name) => text.indexOf(name))
  const skipped = variableNames
    .filter((name) => !(name in variables))
    .map((name) => text.search(new RegExp(`^[^\\S\\n]*(export\\s+)?${name}\\b`, 'm')))
  const lines = [...malformed, ...skipped].filter((start) => start >= 0).map((start) => text.slice(0, start).split('\n').length)
  return [...new Set(lines)].sort((a, b) => a - b)
}
