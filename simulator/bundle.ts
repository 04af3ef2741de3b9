import { readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import type { Mutant } from './mutants.js'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(here)

/** Modules of the engine and its dependencies, and what stands in their place */
const replaced: readonly [what: RegExp, by: string][] = [
  [/^ioredis$/, 'ioredis.ts'],
  [/^node:timers\/promises$/, 'timers-promises.ts'],
  [/^node:crypto$/, 'crypto.ts'],
  [/^\.\/outbox\.js$/, 'outbox.ts'],
  [/^\.\/cache-stores\.js$/, 'cache-stores.ts'],
  [/^(\.\.\/)?database\/live-changes\.js$/, 'live-changes.ts'],
]

/**
 * The engine as it is, with simulated servers, timers and clocks around it, as the text of one CommonJS module. A mutant changes one
 * line of it; it must be there exactly once.
 */
export async function bundle(mutant?: Mutant): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(here, 'world/index.ts')],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    sourcemap: 'inline',
    sourcesContent: false,
    logLevel: 'silent',
    inject: [join(here, 'world/globals.ts')],
    define: {
      'performance.now': 'simulatedMonotonicNow',
      'Date.now': 'simulatedWallNow',
      'Math.random': 'simulatedRandom',
    },
    plugins: [replacements(), ...(mutant ? [mutation(mutant)] : [])],
  })
  return outputFiles[0]?.text ?? ''
}

/** The text with the guard switched off. Throws where the guard is not there exactly once. */
export function mutate(text: string, { name, file, find, replace }: Mutant): string {
  const parts = text.split(find)
  if (parts.length !== 2) throw new Error(`Mutant "${name}": found ${parts.length - 1} times in ${file}, not once:\n${find}`)
  return parts.join(replace)
}

function replacements(): Plugin {
  return {
    name: 'replacements',
    setup({ onResolve }) {
      for (const [filter, by] of replaced) {
        onResolve({ filter }, ({ importer }) => {
          const isOfEngine = !relative(root, importer).startsWith('simulator')
          return isOfEngine ? { path: join(here, 'world', by) } : undefined
        })
      }
    },
  }
}

function mutation(mutant: Mutant): Plugin {
  const { name, file } = mutant
  return {
    name: 'mutation',
    setup({ onLoad, onEnd }) {
      let isFound = false
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        if (relative(root, path) !== file) return undefined
        isFound = true
        return { contents: mutate(await readFile(path, 'utf8'), mutant), loader: 'ts' }
      })
      onEnd(() => {
        if (!isFound) throw new Error(`Mutant "${name}": ${file} is no part of the engine that is simulated`)
      })
    },
  }
}
