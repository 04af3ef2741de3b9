import { type GraphQLFieldResolver, type GraphQLSchema, isObjectType } from 'graphql'
import { getMetadataStorage } from 'type-graphql'
import type { Context } from './context.js'

type Resolve = GraphQLFieldResolver<unknown, Context>
/** Returns the value of one parameter of a resolver method. */
type ParamResolver = (...resolverArgs: Parameters<Resolve>) => unknown

type Storage = ReturnType<typeof getMetadataStorage>
type Method = Storage['queries'][number] | Storage['fieldResolvers'][number]
type Parameter = NonNullable<Method['params']>[number]
type Class = new () => object

/**
 * Replaces the resolvers that TypeGraphQL created for queries and fields, if their arguments need no conversion. The new resolvers
 * call the resolver methods directly, with the same parameters. TypeGraphQL's resolvers are slower: at each call, they sort the
 * parameters and create a promise for every argument, in case it has to be validated. The new resolvers ignore the options
 * authChecker, globalMiddlewares and validate of buildSchema, which this project does not use.
 */
export function bypassTypeGraphQLWrappers(schema: GraphQLSchema, instanceOf: (type: Class) => object): void {
  const { queries, fieldResolvers, objectTypes } = getMetadataStorage()
  const replaceResolver = (typeName: string | undefined, method: Method) => {
    const type = typeName === undefined ? undefined : schema.getType(typeName)
    const field = isObjectType(type) ? type.getFields()[method.schemaName] : undefined
    const paramResolvers = paramResolversOf(method)
    if (field && paramResolvers)
      field.resolve = methodResolver(instanceOf(method.target as Class), method.methodName, paramResolvers)
  }
  for (const method of queries) replaceResolver(schema.getQueryType()?.name, method)
  for (const method of fieldResolvers.filter(({ kind }) => kind === 'external')) {
    replaceResolver(objectTypes.find(({ target }) => target === method.getObjectType?.())?.name, method)
  }
}

function methodResolver(instance: object, methodName: string, paramResolvers: readonly ParamResolver[]): Resolve {
  const method = (instance as Record<string, (...params: unknown[]) => unknown>)[methodName] as (...params: unknown[]) => unknown
  return (source, args, context, info) => {
    const params: unknown[] = []
    for (const resolveParam of paramResolvers) params.push(resolveParam(source, args, context, info))
    return method.apply(instance, params)
  }
}

/** Returns undefined if the method needs TypeGraphQL's resolver, because it has middlewares, roles or arguments to convert. */
function paramResolversOf({ params = [], middlewares = [], roles }: Method): ParamResolver[] | undefined {
  if (middlewares.length > 0 || roles) return undefined
  const resolvers = [...params].sort((a, b) => a.index - b.index).map(paramResolverOf)
  return resolvers.every((resolver) => resolver !== undefined) ? resolvers : undefined
}

function paramResolverOf(parameter: Parameter): ParamResolver | undefined {
  const { kind } = parameter
  if (kind === 'context') return propertyResolver(parameter.propertyName, (_source, _args, context) => context)
  if (kind === 'root' && !isConverted(parameter.getType?.())) return propertyResolver(parameter.propertyName, (source) => source)
  if (kind === 'info') return (_source, _args, _context, info) => info
  if (kind !== 'arg' && kind !== 'args') return undefined
  if (parameter.validateFn || parameter.validateSettings) return undefined
  const type = parameter.getType()
  if (kind === 'args') {
    const toInstance = instanceCreator(type as Class, getMetadataStorage().argumentTypes)
    return toInstance && ((_source, args) => toInstance(args))
  }
  const { name } = parameter
  if (!isConverted(type)) return (_source, args) => args[name]
  if (parameter.typeOptions?.array) return undefined
  const toInstance = instanceCreator(type as Class, getMetadataStorage().inputTypes)
  return toInstance && ((_source, args) => (args[name] == null ? args[name] : toInstance(args[name])))
}

function propertyResolver(name: string | undefined, resolveParam: ParamResolver): ParamResolver {
  if (name === undefined) return resolveParam
  return (...resolverArgs) => (resolveParam(...resolverArgs) as Record<string, unknown>)[name]
}

/**
 * Returns a function that converts an object to an instance of a class of arguments or of an input type. Returns undefined if the
 * class is not one of `types`, if a field has to be converted, or if the class is derived.
 */
function instanceCreator(type: Class, types: Storage['inputTypes']): ((values: Record<string, unknown>) => object) | undefined {
  const fields = types.find(({ target }) => target === type)?.fields
  const isDerived = types.some(({ target }) => target !== type && type.prototype instanceof target)
  const isPlain = fields?.every((field) => field.name === field.schemaName && !isConverted(field.getType()))
  if (!fields || !isPlain || isDerived) return undefined
  return (values) => {
    const instance = new type() as Record<string, unknown>
    for (const { name } of fields) if (values[name] !== undefined) instance[name] = values[name]
    return instance
  }
}

/** Whether TypeGraphQL converts values of the type to instances of a class. A type that is no function is a scalar or an enum. */
function isConverted(type: unknown): boolean {
  return typeof type === 'function' && !unconvertedTypes.has(type)
}

/** Object is included because the TypeScript compiler emits Object as the type of a parameter that is declared with an interface. */
const unconvertedTypes = new Set<unknown>([String, Number, Boolean, Date, Object])
