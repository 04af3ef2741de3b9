import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'

/** A running GraphQL server from a TypeScript file that prints its URL when it is ready */
export interface ServedFile {
  url: string
  child: ChildProcess
  ask: (query: string) => Promise<{ data: Record<string, never>; errors?: unknown }>
}

export async function serve(file: string, options: { cwd: string; env: NodeJS.ProcessEnv }): Promise<ServedFile> {
  const child = spawn(process.execPath, ['--import', 'tsx', file], { ...options, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`${file} exited with code ${code} before it printed its URL`)
  })
  const [printed] = (await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), exited])) as [string]
  const url = printed.trim()
  const headers = { 'content-type': 'application/json' }
  return {
    ...{ url, child },
    async ask(query) {
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) })
      return (await answer.json()) as Awaited<ReturnType<ServedFile['ask']>>
    },
  }
}
