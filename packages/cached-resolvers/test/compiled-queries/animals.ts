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
import { trickyStrings } from './strings.js'

/** The context of a request to the zoo: determines the values and errors of its resolvers */
export interface ZooContext {
  schema: GraphQLSchema
  seed: number
  /** Share of the values that are returned directly; the others are promises */
  immediateShare: number
  /** Share of the values that are errors: thrown, rejected, null or of another type */
  faultShare: number
  /** Whether there are values that graphql-js accepts but resolvers rarely return */
  unusual: boolean
}

/** Its fields depend only on its seed, their names and their arguments, so they are the same each time. */
export class Animal {
  constructor(
    readonly kind: string,
    readonly seed: number,
    readonly context: ZooContext,
  ) {}

  valueOf(field: string, type: GraphQLOutputType, args: unknown): unknown {
    return resolveValue(type, this.random(`${field}${JSON.stringify(args)}`), this.context)
  }

  resolveType(): unknown {
    const random = this.random('type')
    if (random.chance(this.context.faultShare)) return random.pick<() => unknown>(wrongTypes)()
    return this.context.unusual && random.chance(0.1) ? Promise.resolve(this.kind) : this.kind
  }

  isTypeOf(kind: string): boolean | Promise<boolean> {
    const random = this.random('kind')
    if (random.chance(this.context.faultShare)) return false
    return this.context.unusual && random.chance(0.1) ? Promise.resolve(this.kind === kind) : this.kind === kind
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

function resolveValue(type: GraphQLOutputType, random: Random, context: ZooContext): unknown {
  if (random.chance(context.faultShare)) return createFault(random)
  return deliver(createNullable(type, random, context), random, context)
}

function createFault(random: Random): unknown {
  const error = new Error('an error')
  const kinds = [
    () => error,
    () => null,
    () => undefined,
    () => Number.NaN,
    () => ({}),
    () => [error],
    () => Promise.reject(error),
    () => resolveLater(() => Promise.reject(error)),
    () => thenable(Promise.reject(error)),
    () => Promise.resolve(error),
    () => {
      throw error
    },
  ]
  return random.pick<() => unknown>(kinds)()
}

/** Returns the value, or a promise or thenable of it. */
function deliver(value: unknown, random: Random, { immediateShare, unusual }: ZooContext): unknown {
  if (random.chance(immediateShare)) return value
  const kinds = [
    () => Promise.resolve(value),
    () => resolveLater(() => value),
    () => thenable(Promise.resolve(value)),
    () => (unusual ? synchronousThenable(value) : Promise.resolve(value)),
  ]
  return random.pick<() => unknown>(kinds)()
}

function resolveLater(make: () => unknown): Promise<unknown> {
  return new Promise((resolve) => setImmediate(() => resolve(make())))
}

/** A thenable that is not a Promise */
function thenable(promise: Promise<unknown>) {
  // The caller handles rejections.
  promise.catch(() => undefined)
  // biome-ignore lint/suspicious/noThenProperty: that is what makes it a thenable
  return { then: promise.then.bind(promise) }
}

/** A thenable that calls back synchronously. */
function synchronousThenable(value: unknown) {
  // biome-ignore lint/suspicious/noThenProperty: that is what makes it a thenable
  return { then: (onFulfilled: (value: unknown) => unknown) => onFulfilled(value) }
}

function createNullable(type: GraphQLOutputType, random: Random, context: ZooContext): unknown {
  if (isNonNullType(type)) return createNonNull(type.ofType, random, context)
  return random.chance(0.12) ? random.pick([null, undefined]) : createNonNull(type, random, context)
}

function createNonNull(type: GraphQLOutputType, random: Random, context: ZooContext): unknown {
  if (isListType(type)) return listOf(type.ofType, random, context)
  if (isCompositeType(type)) return new Animal(concreteTypeOf(type, random, context), random.below(2 ** 31), context)
  const values = leaves[(type as GraphQLNamedType).name] ?? []
  return context.unusual && random.chance(0.1) ? random.pick(unusualLeaves) : random.pick(values)
}

function listOf(type: GraphQLOutputType, random: Random, context: ZooContext): unknown {
  const item = () => {
    try {
      const value = resolveValue(type, random, context)
      // The list itself may be a promise: its items may reject before anyone handles them.
      if (value instanceof Promise) value.catch(() => undefined)
      return value
    } catch (error) {
      return error
    }
  }
  const items = Array.from({ length: random.below(4) }, item)
  return context.unusual && random.chance(0.1) ? new Set(items) : items
}

function concreteTypeOf(type: GraphQLNamedType, random: Random, { schema }: ZooContext): string {
  return isAbstractType(type) ? random.pick(schema.getPossibleTypes(type as GraphQLAbstractType)).name : type.name
}

/** Values that the scalars serialize without an error, some of them to another value */
const leaves: Record<string, readonly unknown[]> = {
  String: [...trickyStrings, 7, true, { valueOf: () => 'boxed' }],
  Int: [0, -0, 7, -2_147_483_648, true, '42', { valueOf: () => 3 }],
  Float: [0, -0, 1e21, 1e-7, 0.1, 5e-324, 1.7976931348623157e308, '2.5', true],
  Boolean: [true, false, 1, 0],
  ID: ['id', 7, '', '"', { valueOf: () => 'boxed' }],
  Colour: ['RED', 'GREEN'],
  Anything: [
    ...[...trickyStrings, 0, -0, 1e21, Number.NaN, Number.POSITIVE_INFINITY, true, false],
    ...[{}, [], { a: [1, { b: '\ud800"' }], none: undefined }, [undefined, Number.NaN]],
    ...[new Date(0), new String('boxed'), { toJSON: () => 'converted' }],
  ],
}

/** Values without a JSON form, and promises, which leaf types are not expected to return */
const unusualLeaves = [() => undefined, Symbol('symbol'), 10n, { toJSON: () => undefined }, () => Promise.resolve('promised')]
