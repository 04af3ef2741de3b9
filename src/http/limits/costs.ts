import { type DocumentNode, type GraphQLSchema, getOperationAST, type OperationDefinitionNode } from 'graphql'
import { type Estimate, estimate } from '../../graphql/cost.js'
import { evaluate, type Variables } from '../../graphql/cost-expression.js'
import { countNodes } from '../../graphql/document-store.js'
import { costLimitExceeded, limitExceeded } from '../../graphql/errors.js'

/** Computes the costs of operations, in points. Each parsed operation is estimated only once. */
export class Costs {
  private readonly estimates = new WeakMap<OperationDefinitionNode, Estimate>()

  constructor(
    private readonly schema: GraphQLSchema,
    /** The most points that one request may cost */
    readonly maximum: number,
  ) {}

  /** Returns the cost. Throws if an argument requests more items than its limit. */
  of(document: DocumentNode, operation: OperationDefinitionNode, variables: Variables): number {
    const { cost, itemLimits } = this.estimate(document, operation)
    for (const { name, itemCount, maximum } of itemLimits) {
      const count = evaluate(itemCount, variables)
      if (count > maximum) throw limitExceeded(name, count, maximum)
    }
    return toPoints(evaluate(cost, variables))
  }

  /** Throws if the cost exceeds the maximum per request. */
  check(requested: number): void {
    if (requested > this.maximum) throw costLimitExceeded({ requested, maximum: this.maximum })
  }

  /** Returns a function that computes the cost of the document's only operation from the variables. */
  ofSingleOperation(document: DocumentNode): (variables: Variables) => number {
    const operation = getOperationAST(document)
    const cost = operation ? this.estimate(document, operation).cost : 0
    return (variables) => toPoints(evaluate(cost, variables))
  }

  private estimate(document: DocumentNode, operation: OperationDefinitionNode): Estimate {
    const existing = this.estimates.get(operation)
    if (existing) return existing
    const estimated = estimate(this.schema, document, operation)
    this.estimates.set(operation, estimated)
    return estimated
  }
}

function toPoints(cost: number): number {
  // Tenths are not exact in binary, so a sum may be slightly too large.
  return requestPoints + Math.ceil(cost - 1e-6)
}

/**
 * Points for reading a request, in addition to its operation, because parsing JSON takes time even if the request is refused
 * afterwards.
 */
export function pointsOfBytes(bytes: number): number {
  return Math.floor(bytes / bytesPerPoint)
}

/** Points for parsing and validating a document that is not in the document store */
export function pointsOfDocument(document: DocumentNode): number {
  return Math.floor(countNodes(document) / nodesPerPoint)
}

/** Points for storing a persisted query for all processes */
export function pointsOfRegistration(source: string): number {
  return Math.ceil(source.length / registeredCharactersPerPoint)
}

/** Points for a request that is refused, whatever the reason */
export const refusedPoints = 5
/**
 * Points for a request that is refused because the budget is used up: fewer than `refusedPoints`, because the body is not read
 */
export const rateLimitedPoints = 1
/** Base cost of every operation */
const requestPoints = 1
const bytesPerPoint = 6_144
const nodesPerPoint = 20
const registeredCharactersPerPoint = 64
