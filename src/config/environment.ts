import { readFileSync } from 'node:fs'
import process from 'node:process'
import { parseEnv } from 'node:util'
import { ConfigError, variableNames } from '../config.js'

/** What is set for this process, and what a file .env in its folder sets beside that. Throws ConfigError where that cannot be read. */
export function readEnvironment(file = '.env', environment = process.env): Readonly<Record<string, string | undefined>> {
  for (const [name, value] of Object.entries(readEnvFile(file))) environment[name] ??= value
  return environment
}

function readEnvFile(file: string): NodeJS.Dict<string> {
  const text = readText(file)
  const variables = parseEnv(text)
  const faults = unreadLines(text, variables).map((line) => `Line ${line} of ${file} has no effect: write NAME=value`)
  if (faults.length > 0) throw new ConfigError(faults)
  return variables
}

/** Without its byte order mark, which the parser would take for a part of the first name */
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

/** The parser skips what it does not understand, or takes it for a part of the next name. */
function unreadLines(text: string, variables: NodeJS.Dict<string>): number[] {
  const names = Object.keys(variables)
  const malformed = names.filter((name) => !/^[\w.-]+$/.test(name)).map((name) => text.indexOf(name))
  const skipped = variableNames
    .filter((name) => !(name in variables))
    .map((name) => text.search(new RegExp(`^[^\\S\\n]*(export\\s+)?${name}\\b`, 'm')))
  const lines = [...malformed, ...skipped].filter((start) => start >= 0).map((start) => text.slice(0, start).split('\n').length)
  return [...new Set(lines)].sort((a, b) => a - b)
}
