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
import {
  buyers,
  emailOf,
  nameOf,
  orderedProducts,
  recreatedUsers,
  stockCell,
  userCell,
  userCount,
  versionedStock,
} from './shop.js'
import type { World } from './world.js'

interface Writer {
  world: World
  api: ApiProcess
}

/** Each writer has a category of its own, so that no other writer deletes its products. */
export interface GraphqlWriter extends Writer {
  random: Random
  category: string
}

/** Makes a random change through one process, then checks that this process shows it. */
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
    const orders = ownPage(writer, { kind: 'orders', page: newestPage(user, 20) })
    const read = await ask(writer, `{ order(id: "${id}") { id } ${orders} }`)
    if (read) check(writer, `${id} in the orders of ${user}`, read.order !== null && hasNode(read.user?.orders, id))
  },

  createProducts: async (writer) => {
    const { random, category } = writer
    const inputs = Array.from(
      { length: random.between(1, 3) },
      () => `{ name: "temporary v0", price: 1.5, stock: ${random.between(0, 9)}, category: "${category}" }`,
    )
    const data = await ask(writer, `mutation { createProducts(inputs: [${inputs.join()}]) { products { id } } }`)
    const ids = (data?.createProducts.products ?? []).map(({ id }: Data) => id)
    const [own, all] = [category, null].map((list) =>
      ownPage(writer, { kind: 'products', page: newestPage(list, list ? 20 : 100) }),
    )
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
    const read = await ask(writer, `{ ${ownPage(writer, { kind: 'products', page: newestPage(category, 20) })} }`)
    if (read) check(writer, `${category} is empty`, read.products.totalCount === 0 && read.products.nodes.length === 0)
  },

  'createUser and deleteUser': async (writer) => {
    const email = `${writer.category}.${writer.random.between(0, 1e9)}@example.com`
    const data = await ask(writer, `mutation { createUser(input: { email: "${email}", name: "temporary v0" }) { user { id } } }`)
    const id = data?.createUser?.user?.id
    if (id === undefined) return
    const before = await ask(writer, `{ user(id: "${id}") { id } }`)
    if (before) check(writer, `${id} exists`, before.user !== null)
    if (!(await ask(writer, `mutation { deleteUser(id: "${id}") { deletedUserId } }`))) return
    const after = await ask(writer, `{ user(id: "${id}") { id } }`)
    if (after) check(writer, `${id} is gone`, after.user === null)
  },

  'deleteUser and createUser': async (writer) => {
    const id = writer.random.pick(recreatedUsers)
    const cell = userCell(id)
    const { world } = writer
    await world.ledger.runExclusively([cell], async () => {
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

/** Changes the name of the user and checks that all processes show it. */
export async function updateUser(writer: Writer, id: number): Promise<void> {
  const cell = userCell(id)
  await writeVersion(writer, {
    cell,
    mutation: (version) =>
      `updateUser(input: { id: "${cell}", name: "${nameOf(cell, version)}", email: "${emailOf(id)}" }) { user { id name } userErrors { code } }`,
    read: `{ a0: user(id: "${cell}") { id name } }`,
  })
}

/** Writes the next version. The answer to the mutation and the next read through every process must show it. */
async function writeVersion(
  writer: Writer,
  { cell, mutation, read }: { cell: string; mutation: (version: number) => string; read: string },
): Promise<void> {
  const { world } = writer
  await world.ledger.runExclusively([cell], async () => {
    // Fills the near stores of the other processes.
    await Promise.all(others(writer).map((api) => request(world, api, read)))
    const write = world.ledger.begin(cell)
    const begunAt = world.now()
    const data = await ask(writer, `mutation { payload: ${mutation(write.version)} }`)
    // Refused, because the row does not exist, or failed with unknown outcome
    if (!data || data.payload.userErrors.length > 0) return
    acknowledge(writer, write, begunAt)
    checkVersion(writer, cell, observe(data))
    await readElsewhere(writer, read, cell)
    const seen = await ask(writer, read)
    if (seen) checkVersion(writer, cell, observe(seen, [cell]))
  })
}

/** Reads through all processes except the one that answered the mutation: they must show the write as well. */
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

function newestPage(list: string | null, size: number): PageQuery {
  return { list, after: null, before: null, size, from: 'start' }
}

function ownPage({ world }: Writer, page: ListPage): string {
  world.pages.add(page)
  return pageField(page, 'id')
}

function ask({ world, api }: Writer, document: string): Promise<Data | null> {
  return request(world, api, document)
}

/** Checks that the read shows the last write. No other writer changes the row meanwhile. */
function checkVersion(writer: Writer, cell: string, observations: readonly Observation[]): void {
  const { ledger, now } = writer.world
  for (const { seen } of observations.filter((observation) => observation.cell === cell)) {
    check(writer, `${cell} ${seen}`, ledger.age(cell, seen, now()) === null)
  }
}

function check({ world, api }: Writer, what: string, holds: boolean): void {
  world.ownWrites.checked += 1
  if (holds) return
  world.ownWrites.violations += 1
  if (world.ownWrites.violations <= 20) world.print(`OWN WRITE NOT VISIBLE on ${api.name}: ${what}`)
}

function hasNode(connection: Data | undefined, id: string): boolean {
  return connection?.nodes.some((node: Data) => node.id === id) ?? false
}
