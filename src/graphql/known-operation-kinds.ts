import { type ASTVisitor, GraphQLError, type ValidationContext } from 'graphql'

/** A rule that documents have to fit: graphql would take a kind of operation that the schema lacks for a fault of the server. */
export function knownOperationKinds(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition(node) {
      if (context.getSchema().getRootType(node.operation)) return
      context.reportError(new GraphQLError(`There is no ${node.operation} in this schema`, { nodes: node }))
    },
  }
}
