import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { KeysUnavailableError } from './faults.js'

export interface RemoteKeysOptions {
  /** Of a JSON Web Key Set (RFC 7517) */
  url: string
  timeoutMs: number
  /** A key that is not known is looked for at most this often. */
  cooldownMs: number
  /** After that, the set is fetched anew before a key is taken from it, so that a withdrawn key does not stay. */
  maxAgeMs: number
  /** Of the next attempt after one that failed; the known keys go on working until then. */
  retryMs: number
  now: () => number
  log: (message: string) => void
}

/** The keys of an identity provider, which may change them at any time, or be away. */
export class RemoteKeys {
  private readonly keys: ReturnType<typeof createRemoteJWKSet>
  private renewal: Promise<void> | undefined
  private renewAt = Number.POSITIVE_INFINITY

  constructor(private readonly options: RemoteKeysOptions) {
    const { url, timeoutMs, cooldownMs } = options
    // With an age of its own it would give up the known keys when they cannot be fetched again.
    const never = Number.POSITIVE_INFINITY
    this.keys = createRemoteJWKSet(new URL(url), {
      timeoutDuration: timeoutMs,
      cooldownDuration: cooldownMs,
      cacheMaxAge: never,
    })
  }

  /** For jose. Throws KeysUnavailableError where the set is needed and cannot be had. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const { maxAgeMs, now } = this.options
    if (now() >= this.renewAt) await this.renew()
    try {
      const key = await this.keys(header, token)
      if (this.renewAt === Number.POSITIVE_INFINITY) this.renewAt = now() + maxAgeMs
      return key
    } catch (error) {
      if (isFaultOfToken(error)) throw error
      this.options.log(`The keys that tokens are signed with cannot be fetched: ${describe(error)}`)
      throw new KeysUnavailableError('The keys that tokens are signed with cannot be fetched, try again later', { cause: error })
    }
  }

  /** One attempt for all who wait. */
  private renew(): Promise<void> {
    this.renewal ??= this.attemptRenewal().finally(() => {
      this.renewal = undefined
    })
    return this.renewal
  }

  private async attemptRenewal(): Promise<void> {
    const { maxAgeMs, retryMs, now, log } = this.options
    try {
      await this.keys.reload()
      this.renewAt = now() + maxAgeMs
    } catch (error) {
      this.renewAt = now() + retryMs
      log(`The keys that tokens are signed with could not be fetched anew, the known ones go on working: ${describe(error)}`)
    }
  }
}

/** It names no key of the set, or none for certain. */
function isFaultOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  )
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error && error.cause.message !== '' ? `${error.message}: ${error.cause.message}` : error.message
}
