import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import type { ConsoleMessage, Page, Request } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noBrowser, startBrowser, type TestBrowser } from '../helpers/browser.js'
import { type BuiltServer, startBuiltServer, waitUntilReady } from '../helpers/built.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { installPackages } from '../helpers/packages.js'
import { secret } from '../helpers/tokens.js'
import { until } from '../helpers/until.js'

const packages = [await installPackages('test/peers'), await installPackages('examples/client')]
const isUnreachable = packages.some(({ state }) => state === 'unreachable')

const isProduct = /"product_1"/
const twice = `
  const query = '{ product(id: "product_1") { id } }'
  const send = () => client.query(query, {}, { requestPolicy: 'network-only' })
  await send()
  console.log(JSON.stringify((await send()).data))`
const twiceWithApollo = `
  import { ApolloClient, gql, InMemoryCache } from '@apollo/client'
  const client = new ApolloClient({ link, cache: new InMemoryCache() })
  const send = () => client.query({ query: gql('{ product(id: "product_1") { id } }'), fetchPolicy: 'network-only' })
  await send()
  console.log(JSON.stringify((await send()).data))`
/** Two pages of the documented query, and two of the same query with nodes instead of edges */
const twoPages = `
  import { ApolloClient, HttpLink } from '@apollo/client'
  const link = new HttpLink({ uri: 'http://127.0.0.1:4000/graphql' })
  const withNodes = gql('query ($after: String) { products(first: 2, after: $after, category: "Books") { nodes { id } pageInfo { hasNextPage endCursor } } }')
  const client = new ApolloClient({ link, cache })
  async function countAfterTwoPages(document, list) {
    const watched = client.watchQuery({ query: document })
    const first = await new Promise((resolve) => watched.subscribe(({ data, loading }) => loading || resolve(data)))
    await watched.fetchMore({ variables: { after: first.products.pageInfo.endCursor } })
    return client.readQuery({ query: document }).products[list].length
  }
  console.log('edges ' + (await countAfterTwoPages(query, 'edges')) + ', nodes ' + (await countAfterTwoPages(withNodes, 'nodes')))`
/** As relay-compiler writes it */
const withRelay = `
  import { fetchQuery } from 'relay-runtime'
  const id = { alias: null, args: null, kind: 'ScalarField', name: 'id', storageKey: null }
  const args = [{ kind: 'Literal', name: 'id', value: 'product_1' }]
  const product = { alias: null, args, concreteType: 'Product', kind: 'LinkedField', name: 'product', plural: false, selections: [id], storageKey: 'product(id:"product_1")' }
  const shared = { argumentDefinitions: [], name: 'Product', selections: [product] }
  const text = 'query Product { product(id: "product_1") { id } }'
  const request = {
    kind: 'Request',
    fragment: { ...shared, kind: 'Fragment', metadata: null, type: 'Query', abstractKey: null },
    operation: { ...shared, kind: 'Operation' },
    params: { cacheID: 'product', id: null, metadata: {}, name: 'Product', operationKind: 'query', text },
  }
  console.log(JSON.stringify(await fetchQuery(environment, request, {}).toPromise()))`

interface Client {
  /** Code that uses what the snippet declares, if the snippet itself prints nothing */
  use?: string
  prints: RegExp
  /** The HTTP methods of its requests in a browser, without preflights */
  methods: string[]
  isSubscription?: boolean
  /** Whether it runs in Node 20, which has no WebSocket and no EventSource */
  runsInNode: boolean
}

/** By the heading of its snippet in docs/clients.md */
const clients: Record<string, Client> = {
  fetch: { prints: isProduct, methods: ['POST'], runsInNode: true },
  'graphql-request': { prints: isProduct, methods: ['POST'], runsInNode: true },
  'Apollo Client': { prints: isProduct, methods: ['POST'], runsInNode: true },
  'Apollo Client with persisted queries': {
    use: twiceWithApollo,
    prints: isProduct,
    methods: ['GET', 'POST', 'GET'],
    runsInNode: true,
  },
  "Apollo Client's relayStylePagination": {
    use: twoPages,
    prints: /^edges 4, nodes 2$/,
    methods: Array(4).fill('POST'),
    runsInNode: true,
  },
  urql: { prints: isProduct, methods: ['GET'], runsInNode: true },
  'urql with persisted queries': { use: twice, prints: isProduct, methods: ['GET', 'GET', 'GET'], runsInNode: true },
  Relay: { use: withRelay, prints: isProduct, methods: ['POST'], runsInNode: true },
  'graphql-ws': { prints: isProduct, methods: [], isSubscription: true, runsInNode: false },
  'graphql-sse': { prints: isProduct, methods: ['POST'], isSubscription: true, runsInNode: true },
  EventSource: { prints: isProduct, methods: ['GET'], isSubscription: true, runsInNode: false },
}

const page = readFileSync('docs/clients.md', 'utf8')
const snippets = new Map(
  [...page.matchAll(/^## (.*)\n[^#]*?```ts\n([\s\S]*?)```/gm)].map(([, heading = '', code = '']) => [heading, code]),
)

test('docs/clients.md has a short snippet for each row of its table, and each is tested', () => {
  const rows = [...page.matchAll(/^\| \[(.*?)\]\(#/gm)].map(([, name]) => name?.replaceAll('`', ''))
  expect(rows).toEqual([...snippets.keys()])
  expect(Object.keys(clients)).toEqual(rows)
  for (const [heading, code] of snippets) expect(code.trim().split('\n').length, heading).toBeLessThanOrEqual(6)
})

describe.skipIf(isUnreachable)('the snippets of docs/clients.md run', () => {
  let folder: string
  /** Bundled programs by heading */
  let programs: Map<string, string>
  let database: TestDatabase
  /** Two frontends; only the first may read the responses of the server with the settings of production. */
  let frontends: Frontend[]
  let development: BuiltServer & { url: string }
  let production: BuiltServer & { url: string }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shop-clients-'))
    ;[database, ...frontends] = await Promise.all([createDatabase(), startFrontend(), startFrontend()])
    const start = async (env: Record<string, string>) => {
      const server = startBuiltServer({ DATABASE_URL: database.url, AUDIT_INTERVAL_MS: '0', LOG_FORMAT: 'json', ...env })
      return { ...server, url: await waitUntilReady(server) }
    }
    const settings = { NODE_ENV: 'production', AUTH_JWT_SECRET: secret, CORS_ORIGINS: frontends[0]?.origin as string }
    ;[programs, development, production] = await Promise.all([bundle(folder), start({}), start(settings)])
  })
  afterAll(async () => {
    for (const { child, exited } of [development, production]) {
      child.kill('SIGTERM')
      await exited
    }
    for (const { server } of frontends) server.close()
    await database.drop()
    await rm(folder, { recursive: true })
  })

  /** Changes the product until `isDone`: a subscription starts some time after the client requested it. */
  async function changeUntil(isDone: () => boolean): Promise<void> {
    await until(async () => {
      await database.sql`update products set stock = stock + 1 where id = 1`
      return isDone()
    })
  }

  const programFor = (heading: string, { url }: { url: string }) =>
    (programs.get(heading) as string).replaceAll('127.0.0.1:4000', new URL(url).host)

  describe.skipIf(noBrowser)('in a browser', () => {
    let browser: TestBrowser
    beforeAll(async () => {
      browser = await startBrowser()
    })
    afterAll(() => browser.stop())

    async function openFrontend(origin: string, expectedErrors?: RegExp) {
      const { page } = await browser.open(origin, {}, expectedErrors)
      // By default, requests to other origins are blocked.
      await page.context().unroute('**/*')
      return page
    }

    /** Runs a program in the page, after the previous one has ended. */
    async function run(page: Page, program: string, isDone: (printed: string[]) => Promise<void>) {
      await page.goto(page.url())
      const printed: string[] = []
      const methods: string[] = []
      const onConsole = (message: ConsoleMessage) => printed.push(message.text())
      const onRequest = (request: Request) => methods.push(request.method())
      page.on('console', onConsole).on('request', onRequest)
      await page.addScriptTag({ type: 'module', content: program })
      await isDone(printed)
      page.off('console', onConsole).off('request', onRequest)
      return { printed, methods }
    }

    test.each(['in development', 'in production'])('%s, as a page of another origin', async (mode) => {
      const page = await openFrontend(frontends[0]?.origin as string)
      for (const [heading, { prints, methods, isSubscription }] of Object.entries(clients)) {
        const program = programFor(heading, mode === 'in development' ? development : production)
        const ran = await run(page, program, (printed) => {
          const isDone = () => printed.length > 0
          return isSubscription ? changeUntil(isDone) : until(isDone)
        })
        expect(ran.printed[0], heading).toMatch(prints)
        expect(ran.methods, heading).toEqual(methods)
      }
    })

    test('in production, but cannot read responses in a page that is not allowed; the log names the setting once', async () => {
      const [allowed, refused] = frontends.map(({ origin }) => origin) as [string, string]
      const page = await openFrontend(refused, /CORS|Failed to fetch/)
      for (const heading of ['fetch', 'Apollo Client', 'urql with persisted queries']) {
        await run(page, programFor(heading, production), (printed) =>
          until(() => printed.some((line) => line.includes('blocked by CORS policy'))),
        )
      }
      const lines = () =>
        production
          .output()
          .split('\n')
          .filter((line) => line.includes('CORS_ORIGINS'))
      await until(() => lines().length > 0)
      expect(lines().map((line) => JSON.parse(line))).toEqual([
        expect.objectContaining({
          ...{ level: 40, origin: refused },
          msg: expect.stringContaining(`set CORS_ORIGINS=${allowed},${refused}`),
        }),
      ])
    })
  })

  test.each(Object.entries(clients).filter(([, { runsInNode }]) => runsInNode))(
    'in Node: %s',
    async (heading, { prints, isSubscription }) => {
      const file = join(folder, `${Object.keys(clients).indexOf(heading)}.mjs`)
      await writeFile(file, programFor(heading, development))
      const running = promisify(execFile)(process.execPath, [file])
      let printed = ''
      running.child.stdout?.on('data', (chunk) => (printed += chunk))
      if (isSubscription) {
        await changeUntil(() => prints.test(printed))
        running.child.kill()
        await running.catch(() => undefined)
      } else await running
      expect(printed.trim()).toMatch(prints)
    },
  )
})

interface Frontend {
  server: Server
  origin: string
}

/** Serves an empty page on a free port. */
async function startFrontend(): Promise<Frontend> {
  const server = createServer(({ url }, response) => {
    response.writeHead(url === '/' ? 200 : 204, { 'content-type': 'text/html' }).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** Bundles each snippet and the code that uses it as one module for browsers and Node. */
async function bundle(folder: string): Promise<Map<string, string>> {
  const names = [...snippets.keys()]
  for (const [index, heading] of names.entries())
    await writeFile(join(folder, `${index}.ts`), `${snippets.get(heading)}\n${clients[heading]?.use ?? ''}`)
  const { outputFiles } = await build({
    entryPoints: names.map((_, index) => join(folder, `${index}.ts`)),
    outdir: folder,
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"' },
    // The suite of Apollo Server comes with an older Apollo Client.
    nodePaths: ['node_modules', 'examples/client/node_modules', 'test/peers/node_modules'],
  })
  return new Map(names.map((name, index) => [name, outputFiles[index]?.text as string]))
}
