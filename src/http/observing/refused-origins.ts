import type { FastifyBaseLogger } from 'fastify'
import { LRUCache } from 'lru-cache'
import { TokenBucket } from '../../platform/token-bucket.js'
import type { CorsOrigins } from '../headers/origin.js'

export interface RefusedOriginsOptions {
  listed: CorsOrigins
  logger: Pick<FastifyBaseLogger, 'warn'>
  /** Monotonic, in milliseconds */
  now: () => number
}

/**
 * Logs each origin whose pages may not read responses, once, with the setting that would allow it: a browser reports the refusal only in
 * the console of the page. Any client can send any origin, so the number of lines and of remembered origins is limited.
 */
export class RefusedOrigins {
  private readonly logged = new LRUCache<string, true>({ max: maxRemembered })
  private readonly bucket: TokenBucket

  constructor(private readonly options: RefusedOriginsOptions) {
    this.bucket = new TokenBucket(lineLimits, options.now)
  }

  report(origin: string): void {
    if (!isOrigin.test(origin) || this.logged.get(origin) || this.bucket.isEmpty) return
    this.bucket.take()
    this.logged.set(origin, true)
    this.options.logger.warn({ origin }, origin === 'null' ? opaqueOrigin : this.adviceFor(origin))
  }

  private adviceFor(origin: string): string {
    const setting = `CORS_ORIGINS=${[this.options.listed, origin].flat().join(',')}`
    return `A page could not read a response, because its origin is not in CORS_ORIGINS. If ${origin} is your frontend, set ${setting}`
  }
}

const opaqueOrigin =
  'A page that was opened from a file, or in a sandboxed frame, could not read a response. Serve the page over HTTP'

/** An origin as browsers send it, safe to log and to copy into the setting */
const isOrigin = /^(?:null|[a-z][a-z\d+.-]{0,30}:\/\/[\w.:[\]-]{1,260})$/
/** Ten origins at once, then one a minute */
const lineLimits = { burst: 10, perSecond: 1 / 60 }
const maxRemembered = 1_000
