import { createRequire } from 'node:module'
import { compileFunction } from 'node:vm'
import type * as world from './world/index.js'

/** The bundled world, in this thread */
export function load(code: string): typeof world {
  const its = { exports: {} }
  const run = compileFunction(code, ['module', 'exports', 'require'], { filename: 'simulated-world.cjs' })
  run(its, its.exports, createRequire(import.meta.url))
  return its.exports as typeof world
}
