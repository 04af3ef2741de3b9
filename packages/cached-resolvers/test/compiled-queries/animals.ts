import {
  type GraphQLAbstractType,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isCompositeType,
  isListType,
  isNonNullType,
} from 'graphql'
import { Random, seedOf } from './random.js'
import { awkwardTexts } from './texts.js'

/** The context of a request to the zoo: what its animals have, and what is wrong with them */
export interface World {
  schema: GraphQLSchema
  seed: number
  /** Share of the values that are there at once; the others are promised */
  near: number
  /** Share of the values that are none: thrown, rejected, null or of another type */
  faults: number
  /** Whether there are values that graphql-js takes and hardly anybody gives */
  odd: boolean
}

/** What its fields give hangs on its seed, their names and their arguments: it is the same each time. */
export class Animal {
  constructor(
    readonly kind: string,
    readonly seed: number,
    readonly world: World,
  ) {}

  valueOf(field: string, type: GraphQLOutputType, args: unknown): unknown {
    return give(type, this.random(`${field}${JSON.stringify(args)}`), this.world)
  }

  tellType(): unknown {
    const random = this.random('type')
    if (random.chance(this.world.faults)) return random.pick<() => unknown>(wrongTypes)()
    return this.world.odd && random.chance(0.1) ? Promise.resolve(this.kind) : this.kind
  }

  isA(kind: string): boolean | Promise<boolean> {
    const random = this.random('kind')
    if (random.chance(this.world.faults)) return false
    return this.world.odd && random.chance(0.1) ? Promise.resolve(this.kind === kind) : this.kind === kind
  }

  echo(args: unknown): string {
    return JSON.stringify(args)
  }

  private random(purpose: string): Random {
    return new Random(seedOf(this.seed, purpose))
  }
}

const wrongTypes = [
  () => 'Nothing',
  () => undefined,
  () => 'Colour',
  () => Promise.reject(new Error('no type')),
  () => {
    throw new Error('no type at all')
  },
]

function give(type: GraphQLOutputType, random: Random, world: World): unknown {
  if (random.chance(world.faults)) return fault(random)
  return deliver(plain(type, random, world), random, world)
}

function fault(random: Random): unknown {
  const error = new Error('a fault')
  const kinds = [
    () => error,
    () => null,
    () => undefined,
    () => Number.NaN,
    () => ({}),
    () => [error],
    () => Promise.reject(error),
    () => later(() => Promise.reject(error)),
    () => awaitable(Promise.reject(error)),
    () => Promise.resolve(error),
    () => {
      throw error
    },
  ]
  return random.pick<() => unknown>(kinds)()
}

/** At once, or by one of the many kinds of promise. */
function deliver(value: unknown, random: Random, { near, odd }: World): unknown {
  if (random.chance(near)) return value
  const ways = [
    () => Promise.resolve(value),
    () => later(() => value),
    () => awaitable(Promise.resolve(value)),
    () => (odd ? immediate(value) : Promise.resolve(value)),
  ]
  return random.pick<() => unknown>(ways)()
}

function later(make: () => unknown): Promise<unknown> {
  return new Promise((resolve) => setImmediate(() => resolve(make())))
}

/** No Promise, but good for waiting */
function awaitable(promise: Promise<unknown>) {
  // It is for its user to handle.
  promise.catch(() => undefined)
  // biome-ignore lint/suspicious/noThenProperty: that is what makes it one
  return { then: promise.then.bind(promise) }
}

/** Gives its value before anybody can wait. */
function immediate(value: unknown) {
  // biome-ignore lint/suspicious/noThenProperty: that is what makes it one
  return { then: (use: (its: unknown) => unknown) => use(value) }
}

function plain(type: GraphQLOutputType, random: Random, world: World): unknown {
  if (isNonNullType(type)) return existing(type.ofType, random, world)
  return random.chance(0.12) ? random.pick([null, undefined]) : existing(type, random, world)
}

function existing(type: GraphQLOutputType, random: Random, world: World): unknown {
  if (isListType(type)) return listOf(type.ofType, random, world)
  if (isCompositeType(type)) return new Animal(kindOf(type, random, world), random.below(2 ** 31), world)
  const values = leaves[(type as GraphQLNamedType).name] ?? []
  return world.odd && random.chance(0.1) ? random.pick(oddLeaves) : random.pick(values)
}

function listOf(type: GraphQLOutputType, random: Random, world: World): unknown {
  const item = () => {
    try {
      const its = give(type, random, world)
      // The list may be long on its way before anybody sees it.
      if (its instanceof Promise) its.catch(() => undefined)
      return its
    } catch (error) {
      return error
    }
  }
  const items = Array.from({ length: random.below(4) }, item)
  return world.odd && random.chance(0.1) ? new Set(items) : items
}

function kindOf(type: GraphQLNamedType, random: Random, { schema }: World): string {
  return isAbstractType(type) ? random.pick(schema.getPossibleTypes(type as GraphQLAbstractType)).name : type.name
}

/** What the scalars serialize without a fault, and not always to itself */
const leaves: Record<string, readonly unknown[]> = {
  String: [...awkwardTexts, 7, true, { valueOf: () => 'boxed' }],
  Int: [0, -0, 7, -2_147_483_648, true, '42', { valueOf: () => 3 }],
  Float: [0, -0, 1e21, 1e-7, 0.1, 5e-324, 1.7976931348623157e308, '2.5', true],
  Boolean: [true, false, 1, 0],
  ID: ['id', 7, '', '"', { valueOf: () => 'boxed' }],
  Colour: ['RED', 'GREEN'],
  Anything: [
    ...[...awkwardTexts, 0, -0, 1e21, Number.NaN, Number.POSITIVE_INFINITY, true, false],
    ...[{}, [], { a: [1, { b: '\ud800"' }], none: undefined }, [undefined, Number.NaN]],
    ...[new Date(0), new String('boxed'), { toJSON: () => 'its own' }],
  ],
}

/** What JSON has no place for, or nobody expects to be waited for */
const oddLeaves = [() => undefined, Symbol('symbol'), 10n, { toJSON: () => undefined }, () => Promise.resolve('promised')]
