/** Subscriptions of this process. The code that serves subscriptions updates these counts. */
export class SubscriptionMetrics {
  /** Open WebSockets and event streams */
  connections = 0
  /** Open subscriptions; a WebSocket may carry several. */
  open = 0
  /** Events sent to subscribers, without errors and with errors */
  events = { ok: 0, errors: 0 }
}
