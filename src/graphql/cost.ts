import { type CollectFieldsOptions, collectFields } from 'cached-resolvers/compiled-queries'
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
import { type CostExpression, costExpressionOf, type Defaults, maxOf, plus, times } from './cost-expression.js'
import { costOf } from './field-cost.js'

/** The maximum length of a list argument */
interface ItemLimit {
  /** Of the field and the argument, for the error message */
  name: string
  itemCount: CostExpression
  maximum: number
}

export interface Estimate {
  /** In points, without the base cost of every request: see docs/security.md */
  cost: CostExpression
  itemLimits: readonly ItemLimit[]
}

/**
 * The maximum cost of an operation as a function of its variables. The variables need not be coerced: a request whose variables
 * cannot be coerced is never executed. Fields with @skip or @include always count.
 */
export function estimate(schema: GraphQLSchema, { definitions }: DocumentNode, operation: OperationDefinitionNode): Estimate {
  const fragments = definitions.filter(
    (definition): definition is FragmentDefinitionNode => definition.kind === Kind.FRAGMENT_DEFINITION,
  )
  const estimator = new Estimator(schema, operation, new Map(fragments.map((fragment) => [fragment.name.value, fragment])))
  const cost = estimator.costOfOperation()
  return { cost: estimator.isTooLarge ? Number.MAX_SAFE_INTEGER : cost, itemLimits: estimator.itemLimits }
}

class Estimator {
  readonly itemLimits: ItemLimit[] = []
  private readonly collectFieldsOptions: CollectFieldsOptions
  private readonly defaults: Defaults
  private selectionCount = 0
  /** Levels of the response that load data: each level is loaded in one batch, whatever its number of objects. */
  private levels = 0

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly operation: OperationDefinitionNode,
    fragments: CollectFieldsOptions['fragments'],
  ) {
    this.collectFieldsOptions = { schema, fragments, visitSelection: (node) => this.countSelection(node) }
    this.defaults = new Map(
      operation.variableDefinitions?.map(({ variable, defaultValue }) => [variable.name.value, defaultValue]),
    )
  }

  get isTooLarge(): boolean {
    return this.selectionCount > maxSelections
  }

  costOfOperation(): CostExpression {
    const { operation, selectionSet } = this.operation
    const type = this.schema.getRootType(operation)
    if (!type) return 0
    const weightPerField = operation === OperationTypeNode.MUTATION ? mutationWeight : 0
    const fieldsCost = this.costOfObject(type, [selectionSet], undefined, weightPerField)
    return plus([fieldsCost, levelWeight * this.levels])
  }

  /** `size`: the page size or item count of the parent field, which is the length of this object's lists (`nodes`, `edges`). */
  private costOfObject(
    type: GraphQLObjectType,
    sets: readonly SelectionSetNode[],
    size: CostExpression | undefined,
    weightPerField = 0,
  ): CostExpression {
    const fields = collectFields(this.collectFieldsOptions, type, sets)
    return plus([...fields.values()].map((nodes) => plus([weightPerField, this.costOfField(type, nodes, size)])))
  }

  private costOfField(
    parent: GraphQLObjectType,
    nodes: [FieldNode, ...FieldNode[]],
    inherited: CostExpression | undefined,
  ): CostExpression {
    const name = nodes[0].name.value
    if (name === '__schema' || name === '__type') return introspectionWeight
    const field = parent.getFields()[name]
    if (!field) return 0
    const { weight = 0, listSize } = costOf(field)
    const itemCount = this.itemCountOf(parent, field, nodes[0])
    const type = getNamedType(field.type)
    const isList = isListType(getNullableType(field.type))
    const ownCost = plus([weight, isList ? 0 : times(objectWeight, itemCount ?? 0)])
    if (!isCompositeType(type)) return ownCost
    const pageSize = this.pageSizeOf(field, nodes[0])
    if (pageSize !== undefined || hasId(type)) this.levels += 1
    const requestedSize = itemCount ?? pageSize
    const size = isList ? (requestedSize ?? listSize ?? inherited ?? defaultListSize) : 1
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
    return plus([
      ownCost,
      times(
        size,
        plus([costOf(type).weight ?? objectWeight, this.costOfComposite(type, sets, isList ? undefined : requestedSize)]),
      ),
    ])
  }

  /** The cost of an abstract type is that of its most expensive possible type. */
  private costOfComposite(
    type: GraphQLNamedType,
    sets: readonly SelectionSetNode[],
    size: CostExpression | undefined,
  ): CostExpression {
    if (isObjectType(type)) return this.costOfObject(type, sets, size)
    if (!isAbstractType(type)) return 0
    const types = this.schema.getPossibleTypes(type)
    return types.map((possible) => this.costOfObject(possible, sets, size)).reduce(maxOf, 0)
  }

  /** The total length of the field's list arguments; undefined if it has none. */
  private itemCountOf(
    parent: GraphQLObjectType,
    field: GraphQLField<unknown, unknown>,
    node: FieldNode,
  ): CostExpression | undefined {
    const lists = field.args.filter(({ type }) => isListType(getNullableType(type)))
    if (lists.length === 0) return undefined
    const { maxItems = defaultMaxItems } = costOf(field)
    const itemCounts = lists.map(({ name }) => {
      const itemCount = costExpressionOf([argumentOf(node, name)], this.defaults, lengthOf)
      this.itemLimits.push({ name: `${parent.name}.${field.name}(${name}:)`, itemCount, maximum: maxItems })
      return itemCount
    })
    return plus(itemCounts)
  }

  private pageSizeOf({ args }: GraphQLField<unknown, unknown>, node: FieldNode): CostExpression | undefined {
    const isConnection = ['first', 'last'].every((name) => args.some((argument) => argument.name === name))
    return isConnection
      ? costExpressionOf([argumentOf(node, 'first'), argumentOf(node, 'last')], this.defaults, clampPageSize)
      : undefined
  }

  /** Limits the work: nested abstract types are visited once for each combination of their possible types. */
  private countSelection(node: Parameters<CollectFieldsOptions['visitSelection']>[0]): boolean {
    if (node && node.kind !== Kind.FRAGMENT_DEFINITION) this.selectionCount += 1
    return !this.isTooLarge
  }
}

function hasId(type: GraphQLNamedType): boolean {
  return (isObjectType(type) || isInterfaceType(type)) && 'id' in type.getFields()
}

function argumentOf(node: FieldNode, name: string): ValueNode | undefined {
  return node.arguments?.find((argument) => argument.name.value === name)?.value
}

/** GraphQL coerces a single value to a list of one item. */
function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.length
  return value === undefined || value === null ? 0 : 1
}

/** Clamped to the valid range: the connection rejects sizes outside it. */
function clampPageSize(first: unknown, last: unknown): number {
  const size = first ?? last
  return typeof size === 'number' || typeof size === 'string'
    ? Math.min(Math.max(Number(size) || 0, 0), maxPageSize)
    : defaultPageSize
}

/** Of each field that returns objects with ids or a page: one cache read and possibly one SQL statement for all of them */
const levelWeight = 1
const objectWeight = 0.05
/** Of each top-level field of a mutation: a transaction and its invalidations */
const mutationWeight = 10
/** Of __schema or __type, whatever their selection */
const introspectionWeight = 8
const defaultListSize = 10
const defaultMaxItems = 100
const maxSelections = 10_000
