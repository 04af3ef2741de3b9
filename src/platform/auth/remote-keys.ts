import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { KeysUnavailableError } from './errors.js'

export interface RemoteKeysOptions {
  /** Address of a JSON Web Key Set (RFC 7517) */
  url: string
  timeoutMs: number
  /** Minimum time between two fetches of the key set because of tokens with unknown keys */
  cooldownMs: number
  /** A key set that is older than this is fetched again before the next key lookup, so that a withdrawn key stops working. */
  maxAgeMs: number
  /** Delay before the next attempt after a failed refresh. Until then, the known keys stay valid. */
  retryMs: number
  now: () => number
  log: (message: string) => void
}

/** The public keys of an identity provider. The provider may rotate its keys at any time, and may be unreachable. */
export class RemoteKeys {
  private readonly keys: ReturnType<typeof createRemoteJWKSet>
  private refreshing: Promise<void> | undefined
  private refreshAt = Number.POSITIVE_INFINITY

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
    if (now() >= this.refreshAt) await this.refresh()
    try {
      const key = await this.keys(header, token)
      if (this.refreshAt === Number.POSITIVE_INFINITY) this.refreshAt = now() + maxAgeMs
      return key
    } catch (error) {
      if (isTokenError(error)) throw error
      this.options.log(`Failed to fetch the key set for token verification: ${describe(error)}`)
      throw new KeysUnavailableError('The key set for token verification cannot be fetched, try again later', { cause: error })
    }
  }

  /** Fetches the key set again. Concurrent callers share one attempt. */
  private refresh(): Promise<void> {
    this.refreshing ??= this.reload().finally(() => {
      this.refreshing = undefined
    })
    return this.refreshing
  }

  private async reload(): Promise<void> {
    const { maxAgeMs, retryMs, now, log } = this.options
    try {
      await this.keys.reload()
      this.refreshAt = now() + maxAgeMs
    } catch (error) {
      this.refreshAt = now() + retryMs
      log(`Failed to refresh the key set for token verification: ${describe(error)}. The known keys stay in use`)
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
