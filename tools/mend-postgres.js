// Runs after each installation. postgres.js 3.4.9 writes to a connection that has closed meanwhile, and ends the process by that
// (https://github.com/porsager/postgres/issues/1066). Here the statement is told that the connection is closed, as the others are.
// To be taken away with the first version that has this mended.
import { readFileSync, writeFileSync } from 'node:fs'

const faulty = '  function nextWrite(fn) {\n    const x = socket.write(chunk, fn)\n'
const mended = `  function nextWrite(fn) {
    if (!socket) {
      chunk = nextWriteTimer = null
      error(Errors.connection('CONNECTION_CLOSED', options))
      return false
    }
    const x = socket.write(chunk, fn)
`

for (const path of ['src', 'cjs/src']) {
  const file = new URL(`../node_modules/postgres/${path}/connection.js`, import.meta.url)
  const text = readFileSync(file, 'utf8')
  if (text.includes(mended)) continue
  if (!text.includes(faulty)) throw new Error(`${file.pathname} is not what this was written for: see whether it is still needed`)
  writeFileSync(
    file,
    text.replace(faulty, () => mended),
  )
}
