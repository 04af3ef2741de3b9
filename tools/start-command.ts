import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * What `npm start` runs: node, its flags and the file. The script takes the place of its shell, so that a signal to npm reaches the server
 * and npm waits for it; the shell of Windows, which cannot do that, takes the second half.
 */
export function readStartCommand(root: string): ['node', ...string[]] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } }
  const [first = ''] = scripts.start.replace(/^exec /, '').split(' || ')
  return first.split(' ') as ['node', ...string[]]
}
