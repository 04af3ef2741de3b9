import { createRequire } from 'node:module'
import { compileFunction } from 'node:vm'
import type * as world from './world/index.js'

/** Evaluates the bundle in this thread and returns what it exports. */
export function load(code: string): typeof world {
  const module = { exports: {} }
  const run = compileFunction(code, ['module', 'exports', 'require'], { filename: 'simulated-world.cjs' })
  run(module, module.exports, createRequire(import.meta.url))
  return module.exports as typeof world
}
