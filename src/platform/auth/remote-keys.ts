import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { KeysUnavailableError } from './errors.js'

export interface RemoteKeysOptions {
  /** Address of a JSON Web Key Set (RFC 7517) */
  url: string
  timeoutMs: number
  /** An unknown key causes at most one fetch of the set per cooldown. */
  cooldownMs: number
  /** Age after which the set is fetched again before a key from it is used, so that a withdrawn key stops working. */
  maxAgeMs: number
  /** Delay before the next attempt after a failed refresh; the known keys stay valid in the meantime. */
  retryMs: number
  now: () => number
  log: (message: string) => void
}

/** The public keys of an identity provider, which may rotate them at any time and may be unreachable. */
export class RemoteKeys {
  private readonly keys: ReturnType<typeof createRemoteJWKSet>
  private renewal: Promise<void> | undefined
  private renewAt = Number.POSITIVE_INFINITY

  constructor(private readonly options: RemoteKeysOptions) {
    const { url, timeoutMs, cooldownMs } = options
    // With a maximum age, jose would discard the known keys when they cannot be fetched again. This class refreshes them instead.
    const never = Number.POSITIVE_INFINITY
    this.keys = createRemoteJWKSet(new URL(url), {
      timeoutDuration: timeoutMs,
      cooldownDuration: cooldownMs,
      cacheMaxAge: never,
    })
  }

  /** The key lookup for jose. Throws KeysUnavailableError when the key set is needed but cannot be fetched. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const { maxAgeMs, now } = this.options
    if (now() >= this.renewAt) await this.renew()
    try {
      const key = await this.keys(header, token)
      if (this.renewAt === Number.POSITIVE_INFINITY) this.renewAt = now() + maxAgeMs
      return key
    } catch (error) {
      if (isTokenError(error)) throw error
      this.options.log(`The key set for token verification cannot be fetched: ${describe(error)}`)
      throw new KeysUnavailableError('The key set for token verification cannot be fetched, try again later', { cause: error })
    }
  }

  /** Concurrent callers share one attempt. */
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
      log(`The key set for token verification could not be refreshed, the known keys stay in use: ${describe(error)}`)
    }
  }
}

/** Whether the token itself is at fault: its key is not in the set, is ambiguous, or its algorithm is not supported. */
function isTokenError(error: unknown): boolean {
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
