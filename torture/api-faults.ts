import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiProcess } from './api-process.js'
import type { Random } from './random.js'
import { request } from './requests.js'
import { emailOf, nameOf, userCell } from './shop.js'
import type { World } from './world.js'

export function killApi(world: World, random: Random): Promise<void> {
  const pauseMs = random.between(0, 400)
  return withVictim(world, random, async (api) => {
    await api.kill()
    await sleep(pauseMs)
  })
}

/** Killed a moment after a mutation was sent, so that now and then it falls between commit and invalidation. */
export function killApiDuringMutation(world: World, random: Random): Promise<void> {
  const [id, killAfterMs, pauseMs] = [random.between(1, 40), random.between(0, 12), random.between(0, 400)]
  return withVictim(world, random, async (api) => {
    await updateThen(world, api, id, async () => {
      await sleep(killAfterMs)
      await api.kill()
    })
    await sleep(pauseMs)
  })
}

/** Killed when it has committed, while Redis takes no commands: nothing of the invalidation arrives. */
export function killApiAfterCommit(world: World, random: Random): Promise<void> {
  const [id, pauseMs] = [random.between(1, 40), random.between(0, 400)]
  return withVictim(world, random, async (api) => {
    await api.address?.leadsTo.client.call('CLIENT', 'PAUSE', '120', 'ALL')
    await updateThen(world, api, id, async (cell, version) => {
      await untilCommitted(world, cell, version)
      await api.kill()
    })
    await sleep(pauseMs)
  })
}

/** Frozen for moments, as by a garbage collection or a busy machine: what was fetched before is filled after. */
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

/** Stopped for so long that requests go to the others: those have to go on as if it were not there. */
export function suspendApi(world: World, random: Random): Promise<void> {
  const frozenMs = random.between(1_000, 3_500)
  return withVictim(world, random, async (api) => {
    api.isSuspended = true
    api.freeze()
    await sleep(frozenMs)
    api.thaw()
    api.isSuspended = false
  })
}

/** As in a rolling restart with other settings: until the next one, processes with different keys run side by side. */
export function changePrefix(world: World, random: Random): Promise<void> {
  return withVictim(world, random, async (api) => {
    await api.kill()
    api.prefix = api.prefix === 'ecommerce' ? 'renamed' : 'ecommerce'
  })
}

/** Started again when `harm` has ended, if it was killed. One process has to be left to the others, or there is nothing to be seen. */
async function withVictim({ apis }: World, random: Random, harm: (api: ApiProcess) => Promise<void>): Promise<void> {
  const safe = apis.filter((api) => api.isUp && !api.isVictim)
  if (safe.length <= 1 && apis.length > 1) return
  const api = random.pick(safe)
  api.isVictim = true
  try {
    await harm(api)
    if (!api.isUp) await api.start()
  } finally {
    api.isVictim = false
  }
}

async function updateThen(
  world: World,
  api: ApiProcess,
  id: number,
  kill: (cell: string, version: number) => Promise<void>,
): Promise<void> {
  const cell = userCell(id)
  await world.ledger.inTurn([cell], async () => {
    const write = world.ledger.begin(cell)
    const name = nameOf(cell, write.version)
    const sent = request(
      world,
      api,
      `mutation { updateUser(input: { id: "${cell}", name: "${name}", email: "${emailOf(id)}" }) { user { name } } }`,
    )
    await kill(cell, write.version)
    // It was committed, or may have been; whether it was, the row says.
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
