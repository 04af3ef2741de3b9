/** For processes of tests that are not about deadlines: nothing that a busy machine does is late. */
export const farDeadlines = {
  CACHE_NEAR_MAX_STALENESS_MS: '60000',
  DATABASE_TIMEOUT_MS: '60000',
  MAX_EVENT_LOOP_DELAY_MS: '60000',
  RECEIVE_TIMEOUT_MS: '60000',
  REDIS_TIMEOUT_MS: '60000',
  REQUEST_TIMEOUT_MS: '60000',
  SEND_TIMEOUT_MS: '60000',
}
