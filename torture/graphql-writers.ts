import type { PageQuery } from 'cached-resolvers'
import type { ApiProcess } from './api-process.js'
import { mutationWaitMs } from './bounds.js'
import type { Data } from './graphql-client.js'
import type { Write } from './ledger.js'
import { type ListPage, pageField } from './lists.js'
import type { Observation } from './observations.js'
import { observe } from './observations.js'
import { pickWeighted, type Random } from './random.js'
import { request } from './requests.js'
import { buyers, emailOf, nameOf, orderedProducts, passingUsers, stockCell, userCell, userCount, versionedStock } from './shop.js'
import type { World } from './world.js'

interface Writer {
  world: World
  api: ApiProcess
}

/** What is made by one writer is deleted by no other. */
export interface GraphqlWriter extends Writer {
  random: Random
  category: string
}

/** Changes something at random through one process, then asks the same process whether it knows. */
export async function writeGraphqlOnce(writer: GraphqlWriter): Promise<void> {
  const kind = pickWeighted(writer.random, weights)
  writer.world.operations.add(`GraphQL ${kind}`)
  await writes[kind](writer)
}

const weights = {
  ...{ updateUser: 5, updateProductStock: 5, createOrder: 5, createProducts: 2, deleteCategory: 0.7 },
  ...{ 'createUser and deleteUser': 1, 'deleteUser and createUser': 1 },
}

const writes: Record<keyof typeof weights, (writer: GraphqlWriter) => Promise<void>> = {
  updateUser: (writer) => updateUser(writer, writer.random.skewed(1, userCount)),

  updateProductStock: async (writer) => {
    const id = writer.random.pick(versionedStock)
    const [cell, product] = [stockCell(id), `product_${id}`]
    await writeVersion(writer, {
      cell,
      mutation: (version) =>
        `updateProductStock(productId: "${product}", stock: ${version}) { product { id name price stock } userErrors { code } }`,
      read: `{ a0: product(id: "${product}") { id name price stock } }`,
    })
  },

  createOrder: async (writer) => {
    const { random } = writer
    const user = `user_${random.pick(buyers)}`
    const products = Array.from({ length: random.between(1, 3) }, () => `product_${random.pick(orderedProducts)}`)
    const input = `{ userId: "${user}", productIds: ${JSON.stringify(products)} }`
    const data = await ask(
      writer,
      `mutation { createOrder(input: ${input}) { order { id products { id } } userErrors { code } } }`,
    )
    const id = data?.createOrder?.order?.id
    if (id === undefined) return
    const orders = ownPage(writer, { kind: 'orders', page: newest(user, 20) })
    const read = await ask(writer, `{ order(id: "${id}") { id } ${orders} }`)
    if (read) check(writer, `${id} in the orders of ${user}`, read.order !== null && hasNode(read.user?.orders, id))
  },

  createProducts: async (writer) => {
    const { random, category } = writer
    const inputs = Array.from(
      { length: random.between(1, 3) },
      () => `{ name: "passing v0", price: 1.5, stock: ${random.between(0, 9)}, category: "${category}" }`,
    )
    const data = await ask(writer, `mutation { createProducts(inputs: [${inputs.join()}]) { products { id } } }`)
    const ids = (data?.createProducts.products ?? []).map(({ id }: Data) => id)
    const [own, all] = [category, null].map((list) => ownPage(writer, { kind: 'products', page: newest(list, list ? 20 : 100) }))
    const read = await ask(writer, `{ ${own} all: ${all} }`)
    if (!read) return
    check(
      writer,
      `${ids} in the lists`,
      ids.every((id: string) => hasNode(read.products, id) && hasNode(read.all, id)),
    )
  },

  deleteCategory: async (writer) => {
    const { category } = writer
    const data = await ask(writer, `mutation { deleteCategory(category: "${category}") { deletedCount } }`)
    if (!data) return
    const read = await ask(writer, `{ ${ownPage(writer, { kind: 'products', page: newest(category, 20) })} }`)
    if (read) check(writer, `${category} is empty`, read.products.totalCount === 0 && read.products.nodes.length === 0)
  },

  'createUser and deleteUser': async (writer) => {
    const email = `${writer.category}.${writer.random.between(0, 1e9)}@example.com`
    const data = await ask(writer, `mutation { createUser(input: { email: "${email}", name: "passing v0" }) { user { id } } }`)
    const id = data?.createUser?.user?.id
    if (id === undefined) return
    const before = await ask(writer, `{ user(id: "${id}") { id } }`)
    if (before) check(writer, `${id} exists`, before.user !== null)
    if (!(await ask(writer, `mutation { deleteUser(id: "${id}") { deletedUserId } }`))) return
    const after = await ask(writer, `{ user(id: "${id}") { id } }`)
    if (after) check(writer, `${id} is gone`, after.user === null)
  },

  'deleteUser and createUser': async (writer) => {
    const id = writer.random.pick(passingUsers)
    const cell = userCell(id)
    const { world } = writer
    await world.ledger.inTurn([cell], async () => {
      const write = world.ledger.begin(cell, true)
      const begunAt = world.now()
      const data = await ask(writer, `mutation { deleteUser(id: "${cell}") { deletedUserId userErrors { code } } }`)
      if (!data?.deleteUser.deletedUserId) return
      acknowledge(writer, write, begunAt)
      const document = `{ a0: user(id: "${cell}") { id name } }`
      await readElsewhere(writer, document, cell)
      const read = await ask(writer, document)
      if (read) checkVersion(writer, cell, observe(read, [cell]))
    })
  },
}

/** Changes the user's name, and looks whether all processes know. */
export async function updateUser(writer: Writer, id: number): Promise<void> {
  const cell = userCell(id)
  await writeVersion(writer, {
    cell,
    mutation: (version) =>
      `updateUser(input: { id: "${cell}", name: "${nameOf(cell, version)}", email: "${emailOf(id)}" }) { user { id name } userErrors { code } }`,
    read: `{ a0: user(id: "${cell}") { id name } }`,
  })
}

/** The answer to the mutation has to show it, and so has the next read. */
async function writeVersion(
  writer: Writer,
  { cell, mutation, read }: { cell: string; mutation: (version: number) => string; read: string },
): Promise<void> {
  const { world } = writer
  await world.ledger.inTurn([cell], async () => {
    // What the others have read just now, they hold.
    await Promise.all(others(writer).map((api) => request(world, api, read)))
    const write = world.ledger.begin(cell)
    const begunAt = world.now()
    const data = await ask(writer, `mutation { payload: ${mutation(write.version)} }`)
    // Refused, because the row is not there; or nobody knows.
    if (!data || data.payload.userErrors.length > 0) return
    acknowledge(writer, write, begunAt)
    checkVersion(writer, cell, observe(data))
    await readElsewhere(writer, read, cell)
    const seen = await ask(writer, read)
    if (seen) checkVersion(writer, cell, observe(seen, [cell]))
  })
}

/** Through all processes but the one that answered the mutation: they have to know as well. */
async function readElsewhere(writer: Writer, document: string, cell: string): Promise<void> {
  const { world } = writer
  await Promise.all(
    others(writer).map(async (api) => {
      const from = world.now()
      const data = await request(world, api, document)
      if (!data) return
      world.readElsewhere += 1
      world.staleness.judge(observe(data, [cell]), from, world.now(), `${api.name} after a mutation`)
    }),
  )
}

function others({ world, api }: Writer): ApiProcess[] {
  return world.apis.filter((other) => other !== api && other.isUp && !other.isSuspended)
}

function acknowledge({ world }: Writer, write: Write, begunAt: number): void {
  const isPrompt = world.now() - begunAt < mutationWaitMs
  world.ledger.acknowledge([write], world.now(), isPrompt ? 'prompt mutation' : 'slow mutation')
}

function newest(list: string | null, size: number): PageQuery {
  return { list, after: null, before: null, size, from: 'start' }
}

function ownPage({ world }: Writer, page: ListPage): string {
  world.pages.add(page)
  return pageField(page, 'id')
}

function ask({ world, api }: Writer, document: string): Promise<Data | null> {
  return request(world, api, document)
}

/** Nobody else writes the row meanwhile: it has to be seen as the caller left it. */
function checkVersion(writer: Writer, cell: string, observations: readonly Observation[]): void {
  const { ledger, now } = writer.world
  for (const { seen } of observations.filter((its) => its.cell === cell)) {
    check(writer, `${cell} ${seen}`, ledger.age(cell, seen, now()) === null)
  }
}

function check({ world, api }: Writer, what: string, holds: boolean): void {
  world.ownWrites.checked += 1
  if (holds) return
  world.ownWrites.violations += 1
  if (world.ownWrites.violations <= 20) world.print(`OWN WRITE NOT READ on ${api.name}: ${what}`)
}

function hasNode(connection: Data | undefined, id: string): boolean {
  return connection?.nodes.some((node: Data) => node.id === id) ?? false
}
