import { LRUCache } from 'lru-cache'
import { TokenBucket } from '../token-bucket.js'

/** The limit of the lines with one message, and how many of these lines have been omitted since a line was last written */
interface MessageState {
  bucket: TokenBucket
  omitted: number
}

/** Limits the log lines per second, for each message and in total, so that clients cannot fill the disk by repeating requests. */
export class LogLimit {
  private readonly byMessage = new LRUCache<string, MessageState>({ max: maxMessages })
  private readonly total: TokenBucket

  constructor(private readonly now: () => number) {
    this.total = new TokenBucket(totalLimits, now)
  }

  /**
   * Returns undefined if a line with this message must be omitted. Otherwise returns how many lines with this message have been
   * omitted since a line was last written. Messages are distinguished by their first 60 characters.
   */
  admit(message: string): number | undefined {
    const state = this.stateOf(message.slice(0, keyLength))
    if (state.bucket.isEmpty || this.total.isEmpty) {
      state.omitted += 1
      return undefined
    }
    state.bucket.take()
    this.total.take()
    const { omitted } = state
    state.omitted = 0
    return omitted
  }

  private stateOf(key: string): MessageState {
    const known = this.byMessage.get(key)
    if (known) return known
    const state = { bucket: new TokenBucket(messageLimits, this.now), omitted: 0 }
    this.byMessage.set(key, state)
    return state
  }
}

const messageLimits = { burst: 100, perSecond: 10 }
const totalLimits = { burst: 500, perSecond: 50 }
const maxMessages = 200
const keyLength = 60
