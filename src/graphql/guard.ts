import { type Loadable, whenLoaded } from 'cached-resolvers'
import {
  defaultFieldResolver,
  type GraphQLField,
  type GraphQLFieldResolver,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql'
import type { Viewer } from '../platform/auth/viewer.js'
import { type Rule, ruleOf } from './access.js'
import type { Context } from './context.js'
import { forbidden, unauthenticated } from './errors.js'

/** Whose a value is; null where it is everybody's */
type OwnerOf = (value: unknown) => string | null
/** The name of the type that a value of an interface or a union has */
type TypeNameOf = (value: unknown) => string

type Resolve = GraphQLFieldResolver<unknown, Context>

/**
 * Makes a schema obey the rules that stand beside its fields and types. Every field of Query, Mutation and Subscription, and every type with
 * an id of its own, must have one: this throws where it is missing. A field where nothing is to be checked stays as it is.
 */
export function guardSchema(schema: GraphQLSchema, typeNameOf: TypeNameOf): GraphQLSchema {
  const types = Object.values(schema.getTypeMap()).filter(isObjectType)
  const lacking = types.filter((type) => !type.name.startsWith('__')).flatMap((type) => withoutRule(schema, type))
  if (lacking.length > 0) throw new Error(`Without a rule for access (see @Access): ${lacking.join(', ')}`)
  for (const type of types) {
    for (const field of Object.values(type.getFields())) guardField(schema, field, typeNameOf)
  }
  return schema
}

function withoutRule(schema: GraphQLSchema, type: GraphQLObjectType): string[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]
  if (roots.includes(type)) {
    const fields = Object.values(type.getFields()).filter((field) => !ruleOf(field))
    return fields.map(({ name }) => `${type.name}.${name}`)
  }
  const isEntity = type.getInterfaces().some(({ name }) => name === 'Node')
  return isEntity && !ruleOf(type) ? [type.name] : []
}

function guardField(schema: GraphQLSchema, field: GraphQLField<unknown, Context>, typeNameOf: TypeNameOf): void {
  const ownerOf = findOwnerOf(schema, getNamedType(field.type), typeNameOf)
  if (ownerOf) field.resolve = hidingOthers(field.resolve ?? defaultFieldResolver, field.type, ownerOf)
  const rule = ruleOf(field)
  if (!rule || rule.state === 'everyone') return
  field.resolve = refusingOthers(field.resolve ?? defaultFieldResolver, rule)
  if (field.subscribe) field.subscribe = refusingOthers(field.subscribe, rule)
}

/** Before anything is loaded, so that a refusal does not tell what there is. */
function refusingOthers(resolve: Resolve, rule: Rule): Resolve {
  return (source, args, context, info) => {
    refuseOthers(rule, context.viewer, args)
    return resolve(source, args, context, info)
  }
}

function refuseOthers(rule: Rule, viewer: Viewer, args: unknown): void {
  if (viewer.role === 'admin') return
  if (viewer.role === 'anonymous') throw unauthenticated()
  if (rule.state === 'signed in') return
  if (rule.state === 'oneself' && rule.userOf(args as never) === viewer.userId) return
  throw forbidden()
}

/** After it was loaded, since caches hold the same for everybody. At once, where the value is there. */
function hidingOthers(resolve: Resolve, type: GraphQLOutputType, ownerOf: OwnerOf): Resolve {
  const nullable = getNullableType(type)
  const hide = isListType(nullable) ? hidingItems(nullable.ofType, ownerOf) : hidingValue(type, ownerOf)
  return (source, args, context, info) => {
    const value = resolve(source, args, context, info)
    const { viewer } = context
    return viewer.role === 'admin' ? value : whenLoaded(value, (its) => hide(its, viewer))
  }
}

type Hide = (value: unknown, viewer: Viewer) => unknown

function hidingItems(itemType: GraphQLOutputType, ownerOf: OwnerOf): Hide {
  const hide = hidingValue(itemType, ownerOf)
  return (items, viewer) =>
    (items as readonly Loadable<unknown>[] | null)?.map((item) => whenLoaded(item, (its) => hide(its, viewer)))
}

/** null, as if it were not there; where there must be something, a refusal (graphql-js throws an error that it is given for a value). */
function hidingValue(type: GraphQLOutputType, ownerOf: OwnerOf): Hide {
  const instead = isNonNullType(type) ? forbidden : () => null
  return (value, viewer) => {
    if (value === null || value === undefined || value instanceof Error) return value
    const owner = ownerOf(value)
    return owner === null || (viewer.role === 'customer' && owner === viewer.userId) ? value : instead()
  }
}

/** undefined where values of the type are everybody's. */
function findOwnerOf(schema: GraphQLSchema, type: GraphQLNamedType, typeNameOf: TypeNameOf): OwnerOf | undefined {
  if (isObjectType(type)) {
    const rule = ruleOf(type)
    return rule?.state === 'owner' ? (value) => rule.ownerOf(value as never) : undefined
  }
  if (!isAbstractType(type)) return undefined
  const owners = new Map(schema.getPossibleTypes(type).map((its) => [its.name, findOwnerOf(schema, its, typeNameOf)]))
  if ([...owners.values()].every((its) => its === undefined)) return undefined
  return (value) => owners.get(typeNameOf(value))?.(value) ?? null
}
