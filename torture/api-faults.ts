import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiProcess } from './api-process.js'
import type { Random } from './random.js'
import { request } from './requests.js'
import { emailOf, nameOf, userCell } from './shop.js'
import type { World } from './world.js'

export function killApi(world: World, random: Random): Promise<void> {
  const pauseMs = random.between(0, 400)
  return withTargetProcess(world, random, async (api) => {
    await api.kill()
    await sleep(pauseMs)
  })
}

/** Kills the process shortly after it was sent a mutation, so that the kill sometimes falls between commit and invalidation. */
export function killApiDuringMutation(world: World, random: Random): Promise<void> {
  const [id, killAfterMs, pauseMs] = [random.between(1, 40), random.between(0, 12), random.between(0, 400)]
  return withTargetProcess(world, random, async (api) => {
    await updateThen(world, api, id, async () => {
      await sleep(killAfterMs)
      await api.kill()
    })
    await sleep(pauseMs)
  })
}

/** Kills the process after the commit, while Redis is paused: nothing of the invalidation arrives. */
export function killApiAfterCommit(world: World, random: Random): Promise<void> {
  const [id, pauseMs] = [random.between(1, 40), random.between(0, 400)]
  return withTargetProcess(world, random, async (api) => {
    await api.address?.target.client.call('CLIENT', 'PAUSE', '120', 'ALL')
    await updateThen(world, api, id, async (cell, version) => {
      await untilCommitted(world, cell, version)
      await api.kill()
    })
    await sleep(pauseMs)
  })
}

/** Freezes the process for moments, like a garbage collection or a busy machine: values fetched before are filled after. */
export async function freezeApi({ apis }: World, random: Random): Promise<void> {
  const api = random.pick(apis)
  for (let times = random.between(1, 8); times > 0; times -= 1) {
    const frozenMs = random.between(5, random.pick([40, 400]))
    api.freeze()
    await sleep(frozenMs)
    api.thaw()
    await sleep(random.between(0, 60))
  }
}

/** Stops the process for so long that requests go to the others, which must not be affected. */
export function suspendApi(world: World, random: Random): Promise<void> {
  const frozenMs = random.between(1_000, 3_500)
  return withTargetProcess(world, random, async (api) => {
    api.isSuspended = true
    api.freeze()
    await sleep(frozenMs)
    api.thaw()
    api.isSuspended = false
  })
}

/** Like a rolling restart with other settings: until the next restart, processes with different key prefixes run side by side. */
export function changePrefix(world: World, random: Random): Promise<void> {
  return withTargetProcess(world, random, async (api) => {
    await api.kill()
    api.prefix = api.prefix === 'ecommerce' ? 'renamed' : 'ecommerce'
  })
}

/**
 * Picks a process for `inject` and restarts it afterwards if it was killed. Does nothing if no other process would be left to
 * answer.
 */
async function withTargetProcess({ apis }: World, random: Random, inject: (api: ApiProcess) => Promise<void>): Promise<void> {
  const candidates = apis.filter((api) => api.isUp && !api.isTargeted)
  if (candidates.length <= 1 && apis.length > 1) return
  const api = random.pick(candidates)
  api.isTargeted = true
  try {
    await inject(api)
    if (!api.isUp) await api.start()
  } finally {
    api.isTargeted = false
  }
}

async function updateThen(
  world: World,
  api: ApiProcess,
  id: number,
  kill: (cell: string, version: number) => Promise<void>,
): Promise<void> {
  const cell = userCell(id)
  await world.ledger.runExclusively([cell], async () => {
    const write = world.ledger.begin(cell)
    const name = nameOf(cell, write.version)
    const sent = request(
      world,
      api,
      `mutation { updateUser(input: { id: "${cell}", name: "${name}", email: "${emailOf(id)}" }) { user { name } } }`,
    )
    await kill(cell, write.version)
    // Without an answer, the row shows whether the mutation was committed.
    if ((await sent) || (await isCommitted(world, cell, write.version)))
      world.ledger.acknowledge([write], world.now(), 'statement')
  })
}

async function untilCommitted(world: World, cell: string, version: number): Promise<void> {
  const until = world.now() + 100
  while (world.now() < until && !(await isCommitted(world, cell, version)));
}

async function isCommitted({ database }: World, cell: string, version: number): Promise<boolean> {
  const rows = await database`select 1 from users where name = ${nameOf(cell, version)}`
  return rows.length > 0
}
