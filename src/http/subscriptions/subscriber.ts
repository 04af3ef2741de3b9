import type { ExecutionResult, GraphQLFormattedError } from 'graphql'
import type { Context } from '../../graphql/context.js'
import type { Viewer } from '../../platform/auth/viewer.js'

/** A client that subscribes */
export interface Subscriber {
  requestId: string
  viewer: Viewer
  /** Subscriptions are limited per address. */
  address: string
  /** The client whose budget is charged for requests. Events are free. */
  client: string
  /** The stream ends at this time. */
  expiresAtMs: number
  /** Rejects if the token is no longer valid. */
  checkToken: () => Promise<unknown>
  /** Creates a context for each event, because loaders cache what they loaded. Rejects if the token is no longer valid. */
  createContext: () => Promise<Context>
}

/** An execution result as sent to the client */
export interface Answer {
  data?: ExecutionResult['data']
  errors?: readonly GraphQLFormattedError[]
}

export type Answers = AsyncGenerator<Answer, undefined, undefined>
