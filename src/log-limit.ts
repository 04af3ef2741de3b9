import { LRUCache } from 'lru-cache'

/** A token bucket */
interface Bucket {
  left: number
  at: number
  omitted: number
}

/** What clients can cause again and again must not fill the disk: so many lines with the same message, and so many at all, a second. */
export class LogLimit {
  private readonly buckets = new LRUCache<string, Bucket>({ max: maxMessages })
  private readonly all: Bucket

  constructor(private readonly now: () => number) {
    this.all = { left: all.burst, at: now(), omitted: 0 }
  }

  /** How many lines with this message were left out since the last one, where another may be written; undefined where not. */
  admit(message: string): number | undefined {
    const key = message.slice(0, keyLength)
    const bucket = this.buckets.get(key) ?? { left: each.burst, at: this.now(), omitted: 0 }
    this.buckets.set(key, bucket)
    if (this.refill(bucket, each) < 1 || this.refill(this.all, all) < 1) {
      bucket.omitted += 1
      return undefined
    }
    bucket.left -= 1
    this.all.left -= 1
    const { omitted } = bucket
    bucket.omitted = 0
    return omitted
  }

  private refill(bucket: Bucket, { burst, perSecond }: typeof each): number {
    const at = this.now()
    bucket.left = Math.min(burst, bucket.left + ((at - bucket.at) / 1_000) * perSecond)
    bucket.at = at
    return bucket.left
  }
}

const each = { burst: 100, perSecond: 10 }
const all = { burst: 500, perSecond: 50 }
const maxMessages = 200
const keyLength = 60
