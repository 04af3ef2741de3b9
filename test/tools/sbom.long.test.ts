import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

interface Component {
  name: string
  hashes: unknown[]
}

test('npm run sbom lists the packages of a production install and those copied to dist/ by the build', async () => {
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'sbom'], { maxBuffer: 16 * 1024 * 1024 })
  const { bomFormat, metadata, components } = JSON.parse(stdout)
  const { name, dependencies, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  expect({ bomFormat, name: metadata.component.name }).toEqual({ bomFormat: 'CycloneDX', name })
  const names = components.map((component: Component) => component.name)
  const direct = Object.keys({ ...dependencies, ...optionalDependencies }).filter(
    (dependency) => dependency !== 'cached-resolvers',
  )
  expect(names).toEqual(expect.arrayContaining([...direct, '@graphql-yoga/render-graphiql', 'body-parser']))
  for (const absent of ['graphql-yoga', 'vitest', 'esbuild', 'cached-resolvers']) expect(names).not.toContain(absent)
  for (const component of components as Component[]) expect(component.hashes, component.name).toHaveLength(1)
})
