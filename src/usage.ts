/** Printed for --help, and with an error for any other argument. A test keeps the settings equal to those in README.md. */
export const usage = `Usage: npm start
       npm run dev    the same, but restarts when a source file changes

Starts the GraphQL server of the shop and prints its address. Without DATABASE_URL, it also starts a Postgres with demo
data, in the folder .data. Ctrl+C stops both.

It takes no options. Settings are environment variables (PORT=4001 npm start), or lines NAME=value in a file .env:

  PORT             port (4000); 0 takes a free one
  HOST             address to listen on (127.0.0.1); 0.0.0.0 for all
  WORKERS          number of processes on the port (1), or auto
  NODE_ENV         production requires authentication, hides the schema and limits the rate of clients
  AUTH_JWT_SECRET  secret of the tokens; without it, every caller is an administrator
  DATABASE_URL     postgres://user:password@host:5432/database
  REDIS_URL        redis://host:6379, the cache; without it, the cache is in the process
  CACHE_NEAR_MB    memory of the process in front of Redis (64)
  CORS_ORIGINS     origins whose web pages may read responses
  LOG_LEVEL        fatal, error, warn, info (default), debug or silent

All settings: docs/configuration.md. First query and other commands: README.md.
`
