/** Subscriptions of this process. Counted where they are served. */
export class SubscriptionFigures {
  /** WebSockets and event streams that are open */
  connections = 0
  /** Subscriptions that are open; a WebSocket may carry several. */
  open = 0
  /** What subscribers were sent */
  events = { ok: 0, errors: 0 }
}
