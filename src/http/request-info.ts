import type { Viewer } from '../platform/auth/viewer.js'
import type { RequestFlags } from './headers/request-flags.js'
import type { Connection } from './overload/deadlines.js'

/** The properties of a request from which its context is created */
export interface RequestInfo {
  /** Request id */
  id: string
  viewer: Viewer
  flags: RequestFlags
  connection: Connection
  /** The client that the request is charged to; '' if usage is not limited */
  client: string
}
