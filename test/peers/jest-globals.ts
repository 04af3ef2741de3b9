import { afterEach as afterEachTest, describe as describeTests, it as runTest, vi } from 'vitest'

// The Jest functions that the suite imports, implemented with Vitest. The tests listed in `deviations` must fail.

export { afterAll, beforeAll, beforeEach, expect } from 'vitest'
export const jest = vi
export const afterEach = (body: Body) => afterEachTest(run(body))

/** Titles of the tests that are expected to fail */
export const deviations = new Set<string>()
/** Titles of all tests */
export const titles: string[] = []

type Done = (error?: unknown) => void
type Body = (done: Done) => unknown
type Cases = readonly unknown[]

export const describe = Object.assign((name: string, body: () => void) => describeTests(name, body), {
  skip: (name: string) => runTest.skip(name),
  each: (cases: Cases) => (name: string, body: (...values: unknown[]) => unknown) => {
    for (const values of cases) describe(named(name, values), () => void body(...listOf(values)))
  },
})

export const it = Object.assign(
  (name: string, body: Body) => {
    titles.push(name)
    if (deviations.has(name)) runTest.fails(name, run(body))
    else runTest(name, run(body))
  },
  {
    skip: (name: string) => runTest.skip(name),
    each: (cases: Cases) => (name: string, body: (...values: unknown[]) => unknown) => {
      for (const values of cases) it(named(name, values), () => body(...listOf(values)))
    },
  },
)
export const test = it

/** A test body with a callback parameter ends when it calls the callback. */
function run(body: Body): () => Promise<void> {
  return () =>
    new Promise((resolve, reject) => {
      const done: Done = (error) => (error === undefined ? resolve() : reject(error))
      const result = (async () => body(done))()
      result.then(() => body.length === 0 && resolve(), reject)
    })
}

function listOf(values: unknown): unknown[] {
  return Array.isArray(values) ? values : [values]
}

function named(name: string, values: unknown): string {
  return listOf(values).reduce<string>((text, value) => text.replace(/%[sp]|\$\w+/, String(value)), name)
}
