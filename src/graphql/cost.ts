import { type Collecting, collectFields } from 'cached-resolvers/compiled-queries'
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql'
import { defaultPageSize, maxPageSize } from './connection.js'
import { priceOf } from './price.js'
import { atLeast, type Defaults, plus, type Term, termOf, times } from './terms.js'

/** A list of arguments that may have so many values */
interface ItemLimit {
  /** Field and argument */
  name: string
  items: Term
  maximum: number
}

export interface Estimate {
  /** In points, beyond what every request costs: see docs/security.md */
  cost: Term
  itemLimits: readonly ItemLimit[]
}

/**
 * What an operation may cost, as a function of its variables: those of a request as they came, since whatever cannot be coerced is never
 * executed. What @skip and @include would leave out counts.
 */
export function estimate(schema: GraphQLSchema, { definitions }: DocumentNode, operation: OperationDefinitionNode): Estimate {
  const fragments = definitions.filter((its): its is FragmentDefinitionNode => its.kind === Kind.FRAGMENT_DEFINITION)
  const estimator = new Estimator(schema, operation, new Map(fragments.map((its) => [its.name.value, its])))
  const cost = estimator.ofOperation()
  return { cost: estimator.isTooLarge ? Number.MAX_SAFE_INTEGER : cost, itemLimits: estimator.itemLimits }
}

class Estimator {
  readonly itemLimits: ItemLimit[] = []
  private readonly collecting: Collecting
  private readonly defaults: Defaults
  private looks = 0
  /** Of the answer: each is loaded at once, however many objects it has. */
  private levels = 0

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly operation: OperationDefinitionNode,
    fragments: Collecting['fragments'],
  ) {
    this.collecting = { schema, fragments, look: (node) => this.look(node) }
    this.defaults = new Map(operation.variableDefinitions?.map((its) => [its.variable.name.value, its.defaultValue]))
  }

  get isTooLarge(): boolean {
    return this.looks > maxLooks
  }

  ofOperation(): Term {
    const { operation, selectionSet } = this.operation
    const type = this.schema.getRootType(operation)
    if (!type) return 0
    const each = operation === OperationTypeNode.MUTATION ? mutationWeight : 0
    const ofFields = this.ofObject(type, [selectionSet], undefined, each)
    return plus([ofFields, levelWeight * this.levels])
  }

  /** `size` is that of the lists which the fields hold, where the field that leads here has one. */
  private ofObject(type: GraphQLObjectType, sets: readonly SelectionSetNode[], size: Term | undefined, each = 0): Term {
    const fields = collectFields(this.collecting, type, sets)
    return plus([...fields.values()].map((nodes) => plus([each, this.ofField(type, nodes, size)])))
  }

  private ofField(parent: GraphQLObjectType, nodes: [FieldNode, ...FieldNode[]], inherited: Term | undefined): Term {
    const name = nodes[0].name.value
    if (name === '__schema' || name === '__type') return introspectionWeight
    const field = parent.getFields()[name]
    if (!field) return 0
    const { weight = 0, listSize } = priceOf(field)
    const items = this.itemsOf(parent, field, nodes[0])
    const type = getNamedType(field.type)
    const isList = isListType(getNullableType(field.type))
    const own = plus([weight, isList ? 0 : times(objectWeight, items ?? 0)])
    if (!isCompositeType(type)) return own
    const page = this.pageOf(field, nodes[0])
    if (page !== undefined || hasId(type)) this.levels += 1
    const given = items ?? page
    const size = isList ? (given ?? listSize ?? inherited ?? defaultListSize) : 1
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
    return plus([
      own,
      times(size, plus([priceOf(type).weight ?? objectWeight, this.ofValue(type, sets, isList ? undefined : given)])),
    ])
  }

  /** Of an abstract type, the dearest that it may be */
  private ofValue(type: GraphQLNamedType, sets: readonly SelectionSetNode[], size: Term | undefined): Term {
    if (isObjectType(type)) return this.ofObject(type, sets, size)
    if (!isAbstractType(type)) return 0
    const types = this.schema.getPossibleTypes(type)
    return types.map((its) => this.ofObject(its, sets, size)).reduce(atLeast, 0)
  }

  /** How many values are named by arguments that are lists, where there are any */
  private itemsOf(parent: GraphQLObjectType, field: GraphQLField<unknown, unknown>, node: FieldNode): Term | undefined {
    const lists = field.args.filter(({ type }) => isListType(getNullableType(type)))
    if (lists.length === 0) return undefined
    const { maxItems = defaultMaxItems } = priceOf(field)
    const all = lists.map(({ name }) => {
      const items = termOf([argumentOf(node, name)], this.defaults, lengthOf)
      this.itemLimits.push({ name: `${parent.name}.${field.name}(${name}:)`, items, maximum: maxItems })
      return items
    })
    return plus(all)
  }

  private pageOf({ args }: GraphQLField<unknown, unknown>, node: FieldNode): Term | undefined {
    const isConnection = ['first', 'last'].every((name) => args.some((its) => its.name === name))
    return isConnection ? termOf([argumentOf(node, 'first'), argumentOf(node, 'last')], this.defaults, pageSizeOf) : undefined
  }

  /** Abstract types within abstract types are looked at once for each combination. */
  private look(node: Parameters<Collecting['look']>[0]): boolean {
    if (node && node.kind !== Kind.FRAGMENT_DEFINITION) this.looks += 1
    return !this.isTooLarge
  }
}

function hasId(type: GraphQLNamedType): boolean {
  return (isObjectType(type) || isInterfaceType(type)) && 'id' in type.getFields()
}

function argumentOf({ arguments: given }: FieldNode, name: string): ValueNode | undefined {
  return given?.find((its) => its.name.value === name)?.value
}

/** A value that is no list stands for a list of one. */
function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.length
  return value === undefined || value === null ? 0 : 1
}

/** Within bounds, since whatever is not is refused by the connection itself. */
function pageSizeOf(first: unknown, last: unknown): number {
  const size = first ?? last
  return typeof size === 'number' || typeof size === 'string'
    ? Math.min(Math.max(Number(size) || 0, 0), maxPageSize)
    : defaultPageSize
}

/** Of a field that leads to objects with ids, or to a page: a read of the cache and maybe a statement, for all of them together */
const levelWeight = 1
const objectWeight = 0.05
/** Of each field of a mutation: a transaction, and what it invalidates */
const mutationWeight = 10
/** Of the schema as a whole, however much of it is asked for */
const introspectionWeight = 8
const defaultListSize = 10
const defaultMaxItems = 100
const maxLooks = 10_000
