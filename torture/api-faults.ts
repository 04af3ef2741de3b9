import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiProcess } from './api-process.js'
import type { Random } from './random.js'
import { request } from './requests.js'
import { emailOf, nameOf, userCell } from './shop.js'
import type { World } from './world.js'

export async function killApi(world: World, random: Random): Promise<void> {
  const api = pickVictim(world, random)
  if (!api) return
  await killAndRestart(api, random.between(0, 400))
}

/** Killed a moment after a mutation was sent, so that now and then it falls between commit and invalidation. */
export async function killApiDuringMutation(world: World, random: Random): Promise<void> {
  const [id, killAfterMs, pauseMs] = [random.between(1, 40), random.between(0, 12), random.between(0, 400)]
  const api = pickVictim(world, random)
  if (!api) return
  await updateThen(world, api, id, async () => {
    await sleep(killAfterMs)
    await api.kill()
  })
  await restart(api, pauseMs)
}

/** Killed when it has committed, while Redis takes no commands: nothing of the invalidation arrives. */
export async function killApiAfterCommit(world: World, random: Random): Promise<void> {
  const [id, pauseMs] = [random.between(1, 40), random.between(0, 400)]
  const api = pickVictim(world, random)
  if (!api) return
  await world.redis.client.call('CLIENT', 'PAUSE', '120', 'ALL')
  await updateThen(world, api, id, async (cell, version) => {
    await untilCommitted(world, cell, version)
    await api.kill()
  })
  await restart(api, pauseMs)
}

/** One process has to be left, or there is nothing to be seen. */
function pickVictim(world: World, random: Random): ApiProcess | undefined {
  const up = world.apis.filter(({ isUp }) => isUp)
  return up.length > 1 || world.apis.length === 1 ? random.pick(up) : undefined
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
    if ((await sent) || (await isCommitted(world, cell, write.version))) world.ledger.acknowledge([write], world.now())
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

async function killAndRestart(api: ApiProcess, pauseMs: number): Promise<void> {
  await api.kill()
  await restart(api, pauseMs)
}

async function restart(api: ApiProcess, pauseMs: number): Promise<void> {
  await sleep(pauseMs)
  await api.start()
}
