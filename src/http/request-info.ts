import type { Viewer } from '../platform/auth/viewer.js'
import type { RequestFlags } from './headers/request-flags.js'
import type { Connection } from './overload/deadlines.js'

/** What the context of a request is created from */
export interface RequestInfo {
  /** The request id */
  id: string
  viewer: Viewer
  flags: RequestFlags
  connection: Connection
  /** The client that the request is charged to; '' if usage is not limited */
  client: string
}
