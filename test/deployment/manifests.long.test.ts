import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { variableNames } from '../../src/config.js'

/** Time for requests in flight after the delay, see src/main.ts */
const finishMs = 9_500

const kubernetes = 'deploy/kubernetes'
const manifests = readdirSync(kubernetes).flatMap((name) =>
  parseAllDocuments(readFileSync(join(kubernetes, name), 'utf8')).map((document) => {
    expect([...document.errors, ...document.warnings]).toEqual([])
    return document.toJS()
  }),
)
const manifest = (kind: string) => manifests.find((each) => each.kind === kind)
const pod = manifest('Deployment').spec.template.spec
const [container] = pod.containers

describe('the Kubernetes manifests', () => {
  test('have fields and types that Kubernetes accepts', () => {
    const objects = manifests.map(
      (each, index) => `import { ${each.kind} as Kind${index} } from 'kubernetes-models/${each.apiVersion}'
        new Kind${index}(${JSON.stringify(withoutType(each))})`,
    )
    expect(typeErrors(objects.join('\n'))).toEqual([])
  })

  test('belong to one deployment', () => {
    const { labels } = manifest('Deployment').spec.template.metadata
    for (const kind of ['Deployment', 'PodDisruptionBudget']) expect(manifest(kind).spec.selector.matchLabels).toEqual(labels)
    expect(manifest('Service').spec.selector).toEqual(labels)
    for (const { labelSelector } of pod.topologySpreadConstraints) expect(labelSelector.matchLabels).toEqual(labels)
    expect(manifest('HorizontalPodAutoscaler').spec.scaleTargetRef.name).toBe(manifest('Deployment').metadata.name)
    expect(container.envFrom[0].configMapRef.name).toBe(manifest('ConfigMap').metadata.name)
    expect(container.ports.map(({ name }: { name: string }) => name)).toContain(manifest('Service').spec.ports[0].targetPort)
  })

  test('set existing variables, and no secret', () => {
    for (const name of Object.keys(manifest('ConfigMap').data)) expect(variableNames).toContain(name)
    expect(manifests.map(({ kind }) => kind)).not.toContain('Secret')
  })

  test('give a pod enough time to stop', () => {
    const delayMs = Number(manifest('ConfigMap').data.SHUTDOWN_DELAY_MS)
    expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(delayMs + finishMs)
  })

  test('use the probes of the server on the port of the image', () => {
    const paths = [container.startupProbe, container.livenessProbe, container.readinessProbe].map(({ httpGet }) => httpGet.path)
    expect(paths).toEqual(['/livez', '/livez', '/readyz'])
    expect(readFileSync('Dockerfile', 'utf8')).toContain(`PORT=${container.ports[0].containerPort}`)
  })
})

describe('the compose file', () => {
  const text = readFileSync('compose.yaml', 'utf8')
  const { services } = parse(text, { merge: true })

  test('sets existing variables', () => {
    for (const name of Object.keys(services['api-1'].environment)) expect(variableNames).toContain(name)
    expect(services['api-2']).toEqual(services['api-1'])
  })

  test('contains no password, but requires them as variables', () => {
    const passwords = [...text.matchAll(/\$\{(\w*PASSWORD)(.*?)\}/g)]
    expect(new Set(passwords.map(([, name]) => name))).toEqual(new Set(['POSTGRES_PASSWORD', 'REDIS_PASSWORD']))
    for (const [, , rest] of passwords) expect(rest).toMatch(/^:\?/)
  })

  test('waits for the services that the API requires', () => {
    for (const { depends_on: needs } of Object.values<Record<string, Record<string, { condition: string }>>>(services)) {
      for (const [name, { condition }] of Object.entries(needs ?? {})) {
        expect(services).toHaveProperty(name)
        if (condition === 'service_healthy') expect(name.startsWith('api-') || 'healthcheck' in services[name]).toBe(true)
      }
    }
  })

  test('gives a process enough time to stop', () => {
    const { environment, stop_grace_period: grace } = services['api-1']
    expect(Number.parseInt(grace, 10) * 1_000).toBeGreaterThan(Number(environment.SHUTDOWN_DELAY_MS) + finishMs)
  })

  test('configures a proxy that sends requests only to API processes that are ready', () => {
    const proxy = readFileSync('deploy/haproxy.cfg', 'utf8')
    const servers = [...proxy.matchAll(/^ {2}server (\S+) (\S+):4000$/gm)].map(([, name, host]) => [name, host])
    const names = Object.keys(services).filter((name) => name.startsWith('api-'))
    expect(servers).toEqual(names.map((name) => [name, name]))
    expect(proxy).toContain('option httpchk GET /readyz')
  })
})

function withoutType({ apiVersion, kind, ...rest }: { apiVersion: string; kind: string }) {
  expect(apiVersion && kind).toBeTruthy()
  return rest
}

/** Type errors of a source text that is not a file */
function typeErrors(source: string): string[] {
  const name = join(process.cwd(), 'test/deployment/manifests.ts')
  const options: ts.CompilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2023 },
    ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
  }
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (path) => path === name || fileExists(path)
  host.getSourceFile = (path, ...rest) =>
    path === name ? ts.createSourceFile(path, source, ts.ScriptTarget.ES2023) : getSourceFile(path, ...rest)
  const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram([name], options, host))
  return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}
