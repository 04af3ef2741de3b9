import type { ExecutionResult, GraphQLFormattedError } from 'graphql'
import type { Context } from '../../graphql/context.js'
import type { Viewer } from '../../platform/auth/viewer.js'

/** The client that a subscription belongs to */
export interface Subscriber {
  requestId: string
  viewer: Viewer
  /** The network address, because the number of subscriptions is limited per address */
  address: string
  /** The client whose budget is charged for subscribing. Events are not charged. */
  client: string
  /** The stream ends at this time. */
  expiresAtMs: number
  /** Rejects if the token is no longer valid. */
  checkToken: () => Promise<unknown>
  /**
   * Creates a context for each event, because loaders keep the values that they loaded. Rejects if the token is no longer valid.
   */
  createContext: () => Promise<Context>
}

/** An execution result as sent to the client */
export interface FormattedResult {
  data?: ExecutionResult['data']
  errors?: readonly GraphQLFormattedError[]
}

export type ResultStream = AsyncGenerator<FormattedResult, undefined, undefined>
