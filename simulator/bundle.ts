import { readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import type { Mutant } from './mutants.js'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(here)

/** Import specifiers of the engine that the bundle redirects to a simulated module in `world/` */
const replacements: readonly [specifier: RegExp, replacement: string][] = [
  [/^ioredis$/, 'ioredis.ts'],
  [/^node:timers\/promises$/, 'timers-promises.ts'],
  [/^node:crypto$/, 'crypto.ts'],
  [/^\.\/outbox\.js$/, 'outbox.ts'],
  [/^\.\/cache-stores\.js$/, 'cache-stores.ts'],
  [/^(\.\.\/)?database\/live-changes\.js$/, 'live-changes.ts'],
]

/**
 * Bundles the unmodified engine with simulated servers, timers and clocks. Returns the text of one CommonJS module. With a
 * mutant, one piece of the engine's source is replaced. Throws unless that piece occurs exactly once in its file.
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
    // The list of entities imports the resolvers, which the simulator does not use.
    external: ['graphql', 'reflect-metadata', 'type-graphql'],
    inject: [join(here, 'world/globals.ts')],
    define: {
      'performance.now': 'simulatedMonotonicNow',
      'Date.now': 'simulatedWallNow',
      'Math.random': 'simulatedRandom',
    },
    plugins: [replacementPlugin(), ...(mutant ? [mutationPlugin(mutant)] : [])],
  })
  return outputFiles[0]?.text ?? ''
}

/** Returns the source text with the mutant's guard replaced. Throws unless the guard occurs exactly once. */
export function mutate(text: string, { name, file, find, replace }: Mutant): string {
  const parts = text.split(find)
  if (parts.length !== 2)
    throw new Error(`Mutant "${name}": found ${parts.length - 1} times in ${file} instead of once:\n${find}`)
  return parts.join(replace)
}

function replacementPlugin(): Plugin {
  return {
    name: 'replacements',
    setup({ onResolve }) {
      for (const [filter, replacement] of replacements) {
        onResolve({ filter }, ({ importer }) => {
          const isEngineFile = !relative(root, importer).startsWith('simulator')
          return isEngineFile ? { path: join(here, 'world', replacement) } : undefined
        })
      }
    },
  }
}

function mutationPlugin(mutant: Mutant): Plugin {
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
        if (!isFound) throw new Error(`Mutant "${name}": ${file} is not part of the simulated engine`)
      })
    },
  }
}
