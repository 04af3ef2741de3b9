import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Returns the command of the npm script `start`: node, its flags and the file. It is the last line of the script, with `exec`, so that a
 * signal to npm reaches the server and npm waits for it. The shell of Windows has neither `export` nor `exec`: it reads only the first
 * line, and runs the same command after ||. Earlier versions, which npm run rolling starts, wrote both in one line.
 */
export function readStartCommand(root: string): ['node', ...string[]] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } }
  const [, command = ''] = /exec (node [^|]*?)( \|\| .*)?$/.exec(scripts.start) ?? []
  return command.split(' ') as ['node', ...string[]]
}
