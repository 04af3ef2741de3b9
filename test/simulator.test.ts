import { readFile } from 'node:fs/promises'
import { transform } from 'esbuild'
import { beforeAll, describe, expect, test } from 'vitest'
import { bundle, mutate } from '../simulator/bundle.js'
import { load } from '../simulator/load.js'
import { type Mutant, mutants } from '../simulator/mutants.js'
import { readOptions } from '../simulator/options.js'

type World = ReturnType<typeof load>

describe('the simulator', () => {
  let world: World
  beforeAll(async () => {
    world = load(await bundle())
  })

  test('equal seeds give equal runs, different seeds give different runs', async () => {
    const hashOf = async (loaded: World, seed: number) => (await loaded.runPlan(loaded.planOf(seed, ['mixed']))).hash
    const first = await hashOf(world, 7)
    expect(await hashOf(world, 8)).not.toBe(first)
    expect(await hashOf(world, 7)).toBe(first)
    expect(await hashOf(load(await bundle()), 7)).toBe(first)
  })

  test('the engine keeps its guarantees without faults', async () => {
    const { failures, reads } = await world.runTask({ from: 0, to: 20, profiles: ['calm'], untilFailure: false })
    expect(failures).toEqual([])
    expect(reads).toBeGreaterThan(500)
  })

  test('every mutant replaces a text that occurs exactly once, and the result still parses', async () => {
    for (const mutant of mutants) {
      const code = mutate(await readFile(mutant.file, 'utf8'), mutant)
      await expect(transform(code, { loader: 'ts' }), mutant.name).resolves.toMatchObject({ warnings: [] })
    }
    const [first] = mutants as [Mutant]
    await expect(bundle({ ...first, find: 'nothing like it' })).rejects.toThrow('found 0 times')
    await expect(bundle({ ...first, file: 'src/app.ts' })).rejects.toThrow('not part of the simulated engine')
  })
})

describe('an engine that fills without checking its lease', () => {
  let world: World
  beforeAll(async () => {
    world = load(await bundle(mutants.find(({ name }) => name === 'lease-on-fill')))
  })

  test('fails; the reduced schedule fails in the same way, and its timeline ends with the violation', async () => {
    const { failures } = await world.runTask({ from: 19, to: 200, profiles: ['calm'], untilFailure: true })
    const plan = world.planOf(failures[0]?.seed ?? 0, ['calm'])
    const kind = (await world.runPlan(plan)).violations[0]?.kind
    if (!kind) throw new Error('No schedule failed')

    const { plan: smallest } = await world.shrink(plan, kind, {})
    expect(smallest.operations.length).toBeLessThan(plan.operations.length)

    const again = await world.runPlan(smallest, { isTraced: true })
    const violation = again.violations.find((found) => found.kind === kind)
    if (!violation) throw new Error('The reduced plan does not fail')
    const timeline = world.timelineOf(again, violation)
    expect(timeline.at(-1)).toContain(`judge     ${kind}`)
    expect(timeline.join('\n')).toContain('commits')
  })
})

describe('the options of the simulator', () => {
  test.each([
    [['--seed', 'x'], '--seed takes a whole number'],
    [['--mutant', 'nobody'], '--mutant takes one of generation'],
    [['--profile', 'nobody'], '--profile takes one of calm'],
  ])('%j is refused', (args, message) => {
    expect(() => readOptions(args)).toThrow(message.replace('generation', mutants[0]?.name ?? ''))
  })
})
