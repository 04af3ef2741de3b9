import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Returns the command of the npm script `start`: node, its flags and the file. The script is this one command, so that the shell
 * replaces itself by it: a signal to npm reaches the server, and npm waits for it. Earlier versions, which npm run rolling starts,
 * wrote the command twice, as `exec node ... || node ...`.
 */
export function readStartCommand(root: string): ['node', ...string[]] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } }
  const [first = ''] = scripts.start.replace(/^exec /, '').split(' || ')
  return first.split(' ') as ['node', ...string[]]
}
