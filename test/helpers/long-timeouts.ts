/** For tests that are not about timeouts: long enough that a busy machine does not reach them */
export const longTimeouts = {
  // A mutation waits this long for a process that was killed.
  CACHE_NEAR_MAX_STALENESS_MS: '2000',
  // Further fetches would be queued, for a second at most.
  CACHE_MAX_FETCHES: '10000',
  DATABASE_TIMEOUT_MS: '60000',
  MAX_EVENT_LOOP_DELAY_MS: '60000',
  RECEIVE_TIMEOUT_MS: '60000',
  REDIS_TIMEOUT_MS: '60000',
  REQUEST_TIMEOUT_MS: '60000',
  SEND_TIMEOUT_MS: '60000',
}
