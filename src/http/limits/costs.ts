import { type DocumentNode, type GraphQLSchema, getOperationAST, type OperationDefinitionNode } from 'graphql'
import { type Estimate, estimate } from '../../graphql/cost.js'
import { countNodes } from '../../graphql/document-store.js'
import { costLimitExceeded, limitExceeded } from '../../graphql/errors.js'
import { evaluate, type Variables } from '../../graphql/terms.js'

/** What operations cost: estimated once for each, as long as it is remembered. */
export class Costs {
  private readonly estimates = new WeakMap<OperationDefinitionNode, Estimate>()

  constructor(
    private readonly schema: GraphQLSchema,
    /** Points that one request may cost */
    readonly maximum: number,
  ) {}

  /** Throws where an argument names more than it may. */
  of(document: DocumentNode, operation: OperationDefinitionNode, variables: Variables): number {
    const { cost, itemLimits } = this.estimate(document, operation)
    for (const { name, items, maximum } of itemLimits) {
      const count = evaluate(items, variables)
      if (count > maximum) throw limitExceeded(name, count, maximum)
    }
    return toPoints(evaluate(cost, variables))
  }

  /** Throws where that is more than one request may cost. */
  check(requested: number): void {
    if (requested > this.maximum) throw costLimitExceeded({ requested, maximum: this.maximum })
  }

  /** Of the only operation of a document */
  ofOnly(document: DocumentNode): (variables: Variables) => number {
    const operation = getOperationAST(document)
    const cost = operation ? this.estimate(document, operation).cost : 0
    return (variables) => toPoints(evaluate(cost, variables))
  }

  private estimate(document: DocumentNode, operation: OperationDefinitionNode): Estimate {
    const known = this.estimates.get(operation)
    if (known) return known
    const its = estimate(this.schema, document, operation)
    this.estimates.set(operation, its)
    return its
  }
}

function toPoints(load: number): number {
  // Tenths add up to a little more or less than they should.
  return requestPoints + Math.ceil(load - 1e-6)
}

/** Of reading a request, in points beside what its operation costs: JSON takes time, whatever becomes of it. */
export function pointsOfBytes(bytes: number): number {
  return Math.floor(bytes / bytesPerPoint)
}

/** Of parsing and validating a document that is not kept */
export function pointsOfDocument(document: DocumentNode): number {
  return Math.floor(countNodes(document) / nodesPerPoint)
}

/** Of keeping a persisted query for all processes */
export function pointsOfRegistration(source: string): number {
  return Math.ceil(source.length / registeredCharactersPerPoint)
}

/** What a request costs beyond its operation that is refused, whatever is wrong with it */
export const refusedPoints = 5
/** The same, where nothing is left of the budget: nothing is read of it */
export const limitedPoints = 1
/** Of every request that is answered */
const requestPoints = 1
const bytesPerPoint = 6_144
const nodesPerPoint = 20
const registeredCharactersPerPoint = 64
