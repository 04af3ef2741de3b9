import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import process from 'node:process'

/** What is read of a document in CycloneDX's format */
interface Sbom {
  metadata: { component: { 'bom-ref': string; name: string } }
  components: Component[]
  dependencies: { ref: string; dependsOn: string[] }[]
}

interface Component {
  'bom-ref': string
  name: string
  properties: { name: string; value: string }[]
}

/** Code of this repository */
const ours = ['cached-resolvers']
/** Packages of development whose code the build copies into dist/ */
const bundled = ['@graphql-yoga/render-graphiql']

process.stdout.write(`${JSON.stringify(productionSbom(), null, 2)}\n`)

/** The packages of a production install and those in dist/. `npm sbom --omit=dev` does not list the latter. */
function productionSbom(): Sbom {
  const sbom = npmSbom()
  // npm takes the name of the folder.
  sbom.metadata.component.name = JSON.parse(readFileSync('package.json', 'utf8')).name
  const components = sbom.components.filter(
    (component) => !ours.includes(component.name) && (!isDevelopment(component) || bundled.includes(component.name)),
  )
  const refs = new Set([sbom.metadata.component, ...components].map((component) => component['bom-ref']))
  const dependencies = sbom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }))
  return { ...sbom, components, dependencies }
}

function npmSbom(): Sbom {
  const args = ['sbom', '--package-lock-only', '--sbom-format=cyclonedx']
  const { stdout, stderr, status } = spawnSync('npm', args, { encoding: 'utf8', timeout: 120_000, maxBuffer: 64 * 1024 * 1024 })
  if (status !== 0) throw new Error(`npm sbom failed: ${stderr}`)
  return JSON.parse(stdout)
}

function isDevelopment({ properties }: Component): boolean {
  return properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true')
}
