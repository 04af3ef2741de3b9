import { type GraphQLFieldResolver, GraphQLScalarType, type GraphQLSchema, isObjectType } from 'graphql'
import { getMetadataStorage } from 'type-graphql'
import type { Context } from './context.js'

type Resolve = GraphQLFieldResolver<unknown, Context>
/** What one parameter of a method is given */
type Give = (...of: Parameters<Resolve>) => unknown

type Storage = ReturnType<typeof getMetadataStorage>
type Method = Storage['queries'][number] | Storage['fieldResolvers'][number]
type Parameter = NonNullable<Method['params']>[number]
type Class = new () => object

/**
 * TypeGraphQL makes a promise of every argument, in case it has to be validated, and sorts the parameters of a method at each call. Where
 * arguments are given as they are, the methods of queries and fields are called at once instead: with the same, and nothing in between.
 * What buildSchema may be told for all of them (authChecker, globalMiddlewares, validate) is passed by: there is none here.
 */
export function callDirectly(schema: GraphQLSchema, instanceOf: (type: Class) => object): void {
  const { queries, fieldResolvers, objectTypes } = getMetadataStorage()
  const direct = (typeName: string | undefined, method: Method) => {
    const type = typeName === undefined ? undefined : schema.getType(typeName)
    const field = isObjectType(type) ? type.getFields()[method.schemaName] : undefined
    const gives = givesOf(method)
    if (field && gives) field.resolve = call(instanceOf(method.target as Class), method.methodName, gives)
  }
  for (const method of queries) direct(schema.getQueryType()?.name, method)
  for (const method of fieldResolvers.filter(({ kind }) => kind === 'external')) {
    direct(objectTypes.find(({ target }) => target === method.getObjectType?.())?.name, method)
  }
}

function call(instance: object, methodName: string, gives: readonly Give[]): Resolve {
  const method = (instance as Record<string, (...given: unknown[]) => unknown>)[methodName] as (...given: unknown[]) => unknown
  return (source, args, context, info) => {
    const given: unknown[] = []
    for (const give of gives) given.push(give(source, args, context, info))
    return method.apply(instance, given)
  }
}

/** undefined where TypeGraphQL has something to do. */
function givesOf({ params = [], middlewares = [], roles }: Method): Give[] | undefined {
  if (middlewares.length > 0 || roles) return undefined
  const gives = [...params].sort((a, b) => a.index - b.index).map(giveOf)
  return gives.every((give) => give !== undefined) ? gives : undefined
}

function giveOf(parameter: Parameter): Give | undefined {
  const { kind } = parameter
  if (kind === 'context') return propertyOf(parameter.propertyName, (_source, _args, context) => context)
  if (kind === 'root' && !isConverted(parameter.getType?.())) return propertyOf(parameter.propertyName, (source) => source)
  if (kind === 'info') return (_source, _args, _context, info) => info
  if (kind !== 'arg' && kind !== 'args') return undefined
  if (parameter.validateFn || parameter.validateSettings) return undefined
  const type = parameter.getType()
  if (kind === 'args') return giveInstance(type as Class)
  const { name } = parameter
  return isConverted(type) ? undefined : (_source, args) => args[name]
}

function propertyOf(name: string | undefined, give: Give): Give {
  if (name === undefined) return give
  return (...of) => (give(...of) as Record<string, unknown>)[name]
}

/** The arguments as an object of their class */
function giveInstance(type: Class): Give | undefined {
  const { argumentTypes } = getMetadataStorage()
  const fields = argumentTypes.find(({ target }) => target === type)?.fields ?? []
  const isDerived = argumentTypes.some(({ target }) => target !== type && type.prototype instanceof target)
  const isPlain = fields.every((field) => field.name === field.schemaName && !isConverted(field.getType()))
  if (!isPlain || isDerived) return undefined
  return (_source, args) => {
    const its = new type() as Record<string, unknown>
    for (const { name } of fields) if (args[name] !== undefined) its[name] = args[name]
    return its
  }
}

/** Whether TypeGraphQL makes an object of a class out of what it is given. */
function isConverted(type: unknown): boolean {
  return !(type === undefined || type instanceof GraphQLScalarType || givenAsTheyAre.has(type))
}

/** Object is what the type checker's interfaces are for a compiler that writes types down. */
const givenAsTheyAre = new Set<unknown>([String, Number, Boolean, Date, Object])
