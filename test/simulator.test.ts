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

  test('the same seed is the same run, another seed is another', async () => {
    const hashOf = async (its: World, seed: number) => (await its.runPlan(its.planOf(seed, ['mixed']))).hash
    const first = await hashOf(world, 7)
    expect(await hashOf(world, 8)).not.toBe(first)
    expect(await hashOf(world, 7)).toBe(first)
    expect(await hashOf(load(await bundle()), 7)).toBe(first)
  })

  test('the engine keeps what it promises while nothing is broken', async () => {
    const { failures, readings } = await world.runTask({ from: 0, to: 20, profiles: ['calm'], untilFailure: false })
    expect(failures).toEqual([])
    expect(readings).toBeGreaterThan(500)
  })

  test('every guard that can be switched off is there exactly once, and what is left still parses', async () => {
    for (const mutant of mutants) {
      const code = mutate(await readFile(mutant.file, 'utf8'), mutant)
      await expect(transform(code, { loader: 'ts' }), mutant.name).resolves.toMatchObject({ warnings: [] })
    }
    const [first] = mutants as [Mutant]
    await expect(bundle({ ...first, find: 'nothing like it' })).rejects.toThrow('found 0 times')
    await expect(bundle({ ...first, file: 'src/app.ts' })).rejects.toThrow('no part of the engine')
  })
})

describe('an engine whose fills land without a lease', () => {
  let world: World
  beforeAll(async () => {
    world = load(await bundle(mutants.find(({ name }) => name === 'lease-on-fill')))
  })

  test('is found out; what is left of the schedule ends the same, and its story ends with the verdict', async () => {
    const { failures } = await world.runTask({ from: 19, to: 200, profiles: ['calm'], untilFailure: true })
    const plan = world.planOf(failures[0]?.seed ?? 0, ['calm'])
    const kind = (await world.runPlan(plan)).violations[0]?.kind
    if (!kind) throw new Error('No schedule failed')

    const { plan: least } = await world.shrink(plan, kind, {})
    expect(least.operations.length).toBeLessThan(plan.operations.length)

    const again = await world.runPlan(least, { isTraced: true })
    const violation = again.violations.find((its) => its.kind === kind)
    if (!violation) throw new Error('What is left does not fail')
    const story = world.story(again, violation)
    expect(story.at(-1)).toContain(`judge     ${kind}`)
    expect(story.join('\n')).toContain('commits')
  })
})

describe('its options', () => {
  test.each([
    [['--seed', 'x'], '--seed takes a whole number'],
    [['--mutant', 'nobody'], '--mutant takes one of generation'],
    [['--profile', 'nobody'], '--profile takes one of calm'],
  ])('%j is refused', (args, message) => {
    expect(() => readOptions(args)).toThrow(message.replace('generation', mutants[0]?.name ?? ''))
  })
})
