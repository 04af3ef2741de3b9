import type { Redis } from 'ioredis'

type Values = (string | null)[]

interface Part {
  from: number
  to: number
  resolve: (values: Values) => void
  reject: (error: unknown) => void
}

/** Combines the reads of all requests in one turn of the event loop into one MGET. */
export class BatchReader {
  private keys: string[] = []
  private parts: Part[] = []

  constructor(private readonly redis: Redis) {}

  mget(keys: readonly string[]): Promise<Values> {
    if (this.parts.length === 0) setImmediate(() => this.send())
    return new Promise((resolve, reject) => {
      const from = this.keys.length
      for (const key of keys) this.keys.push(key)
      this.parts.push({ from, to: this.keys.length, resolve, reject })
    })
  }

  private send(): void {
    const { keys, parts } = this
    this.keys = []
    this.parts = []
    this.redis.mget(keys).then(
      (values) => {
        for (const { from, to, resolve } of parts) resolve(values.slice(from, to))
      },
      (error) => {
        for (const { reject } of parts) reject(error)
      },
    )
  }
}
