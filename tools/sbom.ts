import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { readHelpOption, runCommand } from '../src/commands/run-command.js'

/** The used part of a CycloneDX document */
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

const usage = `Usage: npm run sbom
Prints a software bill of materials in CycloneDX format: the packages of a production install and those bundled into dist/.`
/** Code of this repository */
const ours = ['cached-resolvers']
/** Development dependencies whose code the build copies into dist/ */
const bundled = ['@graphql-yoga/render-graphiql']

process.exitCode = await runCommand({ usage, readOptions: readHelpOption, run: printSbom })

async function printSbom(): Promise<number> {
  process.stdout.write(`${JSON.stringify(productionSbom(), null, 2)}\n`)
  return 0
}

/** The packages of a production install and the bundled ones, which `npm sbom --omit=dev` does not list */
function productionSbom(): Sbom {
  const sbom = npmSbom()
  // npm uses the name of the folder.
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
