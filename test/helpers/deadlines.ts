/** For processes of tests that are not about deadlines: nothing that a busy machine does is late. */
export const farDeadlines = {
  // A mutation waits that long for a process that was killed.
  CACHE_NEAR_MAX_STALENESS_MS: '2000',
  // More would wait for their turn, which they do for a second at most.
  CACHE_MAX_FETCHES: '10000',
  DATABASE_TIMEOUT_MS: '60000',
  MAX_EVENT_LOOP_DELAY_MS: '60000',
  RECEIVE_TIMEOUT_MS: '60000',
  REDIS_TIMEOUT_MS: '60000',
  REQUEST_TIMEOUT_MS: '60000',
  SEND_TIMEOUT_MS: '60000',
}
