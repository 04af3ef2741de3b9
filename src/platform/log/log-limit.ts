import { LRUCache } from 'lru-cache'
import { TokenBucket } from '../token-bucket.js'

/** State of the lines with one message */
interface MessageState {
  bucket: TokenBucket
  omitted: number
}

/** Limits the log lines per second, for each message and in total, so that clients cannot fill the disk by repeated requests. */
export class LogLimit {
  private readonly byMessage = new LRUCache<string, MessageState>({ max: maxMessages })
  private readonly total: TokenBucket

  constructor(private readonly now: () => number) {
    this.total = new TokenBucket(totalLimits, now)
  }

  /** If another line with this message may be written, the number of lines omitted since the last one; undefined if it must be omitted. */
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
