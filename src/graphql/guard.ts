import { type PromiseOrValue, whenLoaded } from 'cached-resolvers'
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

/** Returns the id of the user who owns a value, or null if the value has no owner. */
type OwnerOf = (value: unknown) => string | null
/** Returns the name of the object type of a value whose declared type is an interface or a union. */
type TypeNameOf = (value: unknown) => string

type Resolve = GraphQLFieldResolver<unknown, Context>

/**
 * Enforces the access rules declared on fields and types by wrapping resolvers. Throws if a field of Query, Mutation or
 * Subscription, or a type that implements Node, has no rule. Fields that need no check are not wrapped.
 */
export function guardSchema(schema: GraphQLSchema, typeNameOf: TypeNameOf): GraphQLSchema {
  const types = Object.values(schema.getTypeMap()).filter(isObjectType)
  const missing = types.filter((type) => !type.name.startsWith('__')).flatMap((type) => missingRules(schema, type))
  if (missing.length > 0) throw new Error(`No access rule is declared (see @Access) for: ${missing.join(', ')}`)
  for (const type of types) {
    for (const field of Object.values(type.getFields())) guardField(schema, field, typeNameOf)
  }
  return schema
}

function missingRules(schema: GraphQLSchema, type: GraphQLObjectType): string[] {
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
  if (ownerOf) field.resolve = maskUnowned(field.resolve ?? defaultFieldResolver, field.type, ownerOf)
  const rule = ruleOf(field)
  if (!rule || rule.state === 'everyone') return
  field.resolve = requireAccess(field.resolve ?? defaultFieldResolver, rule)
  if (field.subscribe) field.subscribe = requireAccess(field.subscribe, rule)
}

/** Checks the rule before anything is loaded, so that a rejection does not reveal whether the requested object exists. */
function requireAccess(resolve: Resolve, rule: Rule): Resolve {
  return (source, args, context, info) => {
    checkAccess(rule, context.viewer, args)
    return resolve(source, args, context, info)
  }
}

function checkAccess(rule: Rule, viewer: Viewer, args: unknown): void {
  if (viewer.role === 'admin') return
  if (viewer.role === 'anonymous') throw unauthenticated()
  if (rule.state === 'signed in') return
  if (rule.state === 'oneself' && rule.userOf(args as never) === viewer.userId) return
  throw forbidden()
}

/**
 * Masks values after they are loaded, because all viewers share the caches. Masks synchronously if the value is not a promise.
 */
function maskUnowned(resolve: Resolve, type: GraphQLOutputType, ownerOf: OwnerOf): Resolve {
  const nullable = getNullableType(type)
  const mask = isListType(nullable) ? itemsMask(nullable.ofType, ownerOf) : valueMask(type, ownerOf)
  return (source, args, context, info) => {
    const value = resolve(source, args, context, info)
    const { viewer } = context
    return viewer.role === 'admin' ? value : whenLoaded(value, (loaded) => mask(loaded, viewer))
  }
}

type Mask = (value: unknown, viewer: Viewer) => unknown

function itemsMask(itemType: GraphQLOutputType, ownerOf: OwnerOf): Mask {
  const mask = valueMask(itemType, ownerOf)
  return (items, viewer) =>
    (items as readonly PromiseOrValue<unknown>[] | null)?.map((item) => whenLoaded(item, (loaded) => mask(loaded, viewer)))
}

/**
 * Replaces a value of another user by null, as if the value did not exist. If the type is non-null, the replacement is the error
 * FORBIDDEN: graphql-js throws an error that a resolver returns as its value.
 */
function valueMask(type: GraphQLOutputType, ownerOf: OwnerOf): Mask {
  const replacement = isNonNullType(type) ? forbidden : () => null
  return (value, viewer) => {
    if (value === null || value === undefined || value instanceof Error) return value
    const owner = ownerOf(value)
    return owner === null || (viewer.role === 'customer' && owner === viewer.userId) ? value : replacement()
  }
}

/** Returns undefined if values of the type have no owner. */
function findOwnerOf(schema: GraphQLSchema, type: GraphQLNamedType, typeNameOf: TypeNameOf): OwnerOf | undefined {
  if (isObjectType(type)) {
    const rule = ruleOf(type)
    return rule?.state === 'owner' ? (value) => rule.ownerOf(value as never) : undefined
  }
  if (!isAbstractType(type)) return undefined
  const owners = new Map(
    schema.getPossibleTypes(type).map((possible) => [possible.name, findOwnerOf(schema, possible, typeNameOf)]),
  )
  if ([...owners.values()].every((ownerOf) => ownerOf === undefined)) return undefined
  return (value) => owners.get(typeNameOf(value))?.(value) ?? null
}
