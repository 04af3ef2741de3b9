import { setTimeout as sleep } from 'node:timers/promises'
import { injectFault } from './faults.js'
import { writeGraphqlOnce } from './graphql-writers.js'
import { readOnce } from './readers.js'
import { pickApi } from './requests.js'
import { writeSqlOnce } from './sql-writers.js'
import type { World } from './world.js'

const readersPerProcess = 4
const graphqlWritersPerProcess = 2
const sqlWriters = 2
const faultActors = 3

/** Runs readers and writers, first without faults, then with faults. Resolves when all have ended. */
export async function storm(
  world: World,
  round: number,
  { calmMs, faultMs }: { calmMs: number; faultMs: number },
): Promise<void> {
  const calmUntil = world.now() + calmMs
  const until = calmUntil + faultMs
  const actor = async (name: string, act: (name: string) => () => Promise<void>, until: number) => {
    const step = act(name)
    while (world.now() < until) await step()
  }
  const actors = [
    ...names('reader', readersPerProcess * world.apis.length).map((name) => actor(name, reader(world, round), until)),
    ...names('GraphQL writer', graphqlWritersPerProcess * world.apis.length).map((name) =>
      actor(name, graphqlWriter(world, round), until),
    ),
    ...names('SQL writer', sqlWriters).map((name) => actor(name, sqlWriter(world, round), until)),
  ]
  await sleep(calmMs)
  actors.push(...names('fault', faultActors).map((name) => actor(name, saboteur(world, round), until)))
  await Promise.all(actors)
}

function names(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${kind} ${index}`)
}

function reader(world: World, round: number) {
  return (name: string) => {
    const random = world.random(`${name} of round ${round}`)
    return async () => {
      await readOnce(
        world,
        pickApi(world, (apis) => random.pick(apis)),
        random,
      )
      await sleep(random.between(1, 12))
    }
  }
}

function graphqlWriter(world: World, round: number) {
  return (name: string) => {
    const random = world.random(`${name} of round ${round}`)
    return async () => {
      const api = pickApi(world, (apis) => random.pick(apis))
      await writeGraphqlOnce({ world, api, random, category: `temporary-${name.replace(/\W/g, '-')}` })
      await sleep(random.between(5, 80))
    }
  }
}

function sqlWriter(world: World, round: number) {
  return (name: string) => {
    const random = world.random(`${name} of round ${round}`)
    return async () => {
      await writeSqlOnce(world, random)
      await sleep(random.between(5, 80))
    }
  }
}

function saboteur(world: World, round: number) {
  return (name: string) => {
    const random = world.random(`${name} of round ${round}`)
    return async () => {
      await sleep(random.between(50, 600))
      await injectFault(world, random)
    }
  }
}
