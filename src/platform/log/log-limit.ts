import { LRUCache } from 'lru-cache'
import { TokenBucket } from '../token-bucket.js'

/** Of lines with one message */
interface Lines {
  bucket: TokenBucket
  omitted: number
}

/** What clients can cause again and again must not fill the disk: so many lines with the same message, and so many at all, a second. */
export class LogLimit {
  private readonly byMessage = new LRUCache<string, Lines>({ max: maxMessages })
  private readonly all: TokenBucket

  constructor(private readonly now: () => number) {
    this.all = new TokenBucket(all, now)
  }

  /** How many lines with this message were left out since the last one, where another may be written; undefined where not. */
  admit(message: string): number | undefined {
    const lines = this.linesOf(message.slice(0, keyLength))
    if (lines.bucket.isEmpty || this.all.isEmpty) {
      lines.omitted += 1
      return undefined
    }
    lines.bucket.take()
    this.all.take()
    const { omitted } = lines
    lines.omitted = 0
    return omitted
  }

  private linesOf(key: string): Lines {
    const known = this.byMessage.get(key)
    if (known) return known
    const lines = { bucket: new TokenBucket(each, this.now), omitted: 0 }
    this.byMessage.set(key, lines)
    return lines
  }
}

const each = { burst: 100, perSecond: 10 }
const all = { burst: 500, perSecond: 50 }
const maxMessages = 200
const keyLength = 60
