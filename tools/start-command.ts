import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Returns the command of the npm script `start`: node, its flags and the file. The script uses `exec`, so that a signal to npm
 * reaches the server and npm waits for it. The shell of Windows has no `exec` and runs the second half, after ||, which is the
 * same command.
 */
export function readStartCommand(root: string): ['node', ...string[]] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } }
  const [first = ''] = scripts.start.replace(/^exec /, '').split(' || ')
  return first.split(' ') as ['node', ...string[]]
}
