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
import { declaredCostOf } from './field-cost.js'

/** The requested and the maximum length of a list argument */
interface ItemLimit {
  /** The names of the field and the argument, for the error message */
  name: string
  itemCount: CostExpression
  maximum: number
}

export interface Estimate {
  /** The maximum cost in points, without the base cost of every request: see docs/security.md */
  cost: CostExpression
  itemLimits: readonly ItemLimit[]
}

/**
 * Estimates the maximum cost of an operation as a function of its variables. The variables need not be coerced first: if coercion
 * fails later, the request is not executed, and the estimate does not matter. Fields with @skip or @include always count.
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
  /**
   * Number of fields that load data. All values of such a field are loaded in one batch, whatever the number of parent objects.
   */
  private loadingFieldCount = 0

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
    return plus([fieldsCost, loadingFieldWeight * this.loadingFieldCount])
  }

  /**
   * `parentPageSize` is the total length of the list arguments of the field that returned the object or, if it has none, its page size. It
   * is the assumed length of the object's own lists, such as `nodes` and `edges`. `weightPerField` is added for each selected field.
   */
  private costOfObject(
    type: GraphQLObjectType,
    sets: readonly SelectionSetNode[],
    parentPageSize: CostExpression | undefined,
    weightPerField = 0,
  ): CostExpression {
    const fields = collectFields(this.collectFieldsOptions, type, sets)
    return plus([...fields.values()].map((nodes) => plus([weightPerField, this.costOfField(type, nodes, parentPageSize)])))
  }

  private costOfField(
    parent: GraphQLObjectType,
    nodes: [FieldNode, ...FieldNode[]],
    parentPageSize: CostExpression | undefined,
  ): CostExpression {
    const name = nodes[0].name.value
    if (name === '__schema' || name === '__type') return introspectionWeight
    const field = parent.getFields()[name]
    if (!field) return 0
    const { weight = 0, listSize, argumentWeights = {} } = declaredCostOf(field)
    const itemCount = this.itemCountOf(parent, field, nodes[0])
    const type = getNamedType(field.type)
    const isList = isListType(getNullableType(field.type))
    const ofArguments = Object.entries(argumentWeights).map(([argument, points]) =>
      costExpressionOf([argumentOf(nodes[0], argument)], this.defaults, (value) => (value == null ? 0 : points)),
    )
    const ownCost = plus([weight, ...ofArguments, isList ? 0 : times(objectWeight, itemCount ?? 0)])
    if (!isCompositeType(type)) return ownCost
    const pageSize = this.pageSizeOf(field, nodes[0])
    if (pageSize !== undefined || hasId(type)) this.loadingFieldCount += 1
    const requestedSize = itemCount ?? pageSize
    const objectCount = isList ? (requestedSize ?? listSize ?? parentPageSize ?? defaultListSize) : 1
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
    return plus([
      ownCost,
      times(
        objectCount,
        plus([declaredCostOf(type).weight ?? objectWeight, this.costOfComposite(type, sets, isList ? undefined : requestedSize)]),
      ),
    ])
  }

  /** The cost of an abstract type is the cost of its most expensive possible type. */
  private costOfComposite(
    type: GraphQLNamedType,
    sets: readonly SelectionSetNode[],
    parentPageSize: CostExpression | undefined,
  ): CostExpression {
    if (isObjectType(type)) return this.costOfObject(type, sets, parentPageSize)
    if (!isAbstractType(type)) return 0
    const types = this.schema.getPossibleTypes(type)
    return types.map((possible) => this.costOfObject(possible, sets, parentPageSize)).reduce(maxOf, 0)
  }

  /** Returns the total length of the field's list arguments, or undefined if the field has no list argument. */
  private itemCountOf(
    parent: GraphQLObjectType,
    field: GraphQLField<unknown, unknown>,
    node: FieldNode,
  ): CostExpression | undefined {
    const lists = field.args.filter(({ type }) => isListType(getNullableType(type)))
    if (lists.length === 0) return undefined
    const { maxItems = defaultMaxItems } = declaredCostOf(field)
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

  /**
   * Counts a selection. Returns false if there are too many, so that no more are collected. The limit is needed because nested
   * abstract types are visited once for each combination of their possible types.
   */
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

/** Clamps the page size to the valid range. A connection rejects a size outside of it, so that it cannot cost more. */
function clampPageSize(first: unknown, last: unknown): number {
  const size = first ?? last
  return typeof size === 'number' || typeof size === 'string'
    ? Math.min(Math.max(Number(size) || 0, 0), maxPageSize)
    : defaultPageSize
}

/**
 * Weight of each field that returns a page, or objects with ids. All objects of the field together take one cache read and at most one
 * SQL statement.
 */
const loadingFieldWeight = 1
/** Default weight of each object, see @Cost */
const objectWeight = 0.05
/** Weight of each top-level field of a mutation, which runs a transaction and invalidates cache entries */
const mutationWeight = 10
/** Weight of __schema or __type, whatever is selected on them */
const introspectionWeight = 8
/** Assumed length of a list, if nothing determines its length */
const defaultListSize = 10
/** Maximum number of items of a list argument, unless @Cost declares another maximum */
const defaultMaxItems = 100
const maxSelections = 10_000
