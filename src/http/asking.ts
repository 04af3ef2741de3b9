import type { Viewer } from '../platform/auth/viewer.js'
import type { Wishes } from './headers/wishes.js'
import type { Connection } from './overload/deadlines.js'

/** Of a request, what its context is made from */
export interface Asking {
  /** Of the request */
  id: string
  viewer: Viewer
  wishes: Wishes
  connection: Connection
  /** Who pays for it; '' where nobody does */
  client: string
}
