import type { ExecutionResult, GraphQLFormattedError } from 'graphql'
import type { Context } from '../../graphql/context.js'
import type { Viewer } from '../../platform/auth/viewer.js'

/** Who subscribes */
export interface Subscriber {
  requestId: string
  viewer: Viewer
  /** Whose subscriptions are counted together */
  address: string
  /** Whose budget is charged for what it asks for; what it is told of is free. */
  client: string
  /** The stream ends then. */
  expiresAtMs: number
  /** Rejects where the token is not good any more. */
  checkToken: () => Promise<unknown>
  /** For each event, since loaders remember what they loaded. Rejects where the token is not good any more. */
  createContext: () => Promise<Context>
}

/** What goes over the wire */
export interface Answer {
  data?: ExecutionResult['data']
  errors?: readonly GraphQLFormattedError[]
}

export type Answers = AsyncGenerator<Answer, undefined, undefined>
