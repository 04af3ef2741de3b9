import { once } from 'node:events'
import { createServer } from 'node:net'
import { type Config, ConfigError } from '../config.js'

type ListenAddress = Pick<Config, 'PORT' | 'HOST'>

/**
 * Throws ConfigError if HOST and PORT cannot be listened on. Called before a database is created or started, which takes seconds. Another
 * process may still take the port meanwhile.
 */
export async function checkListenAddress(address: ListenAddress): Promise<void> {
  const error = await tryToListen(address)
  if (error) throw await listenError(address, error)
}

/** Describes why HOST and PORT cannot be listened on, with a free port if this one is in use. */
export async function listenError(address: ListenAddress, error: NodeJS.ErrnoException): Promise<ConfigError> {
  const { HOST, PORT } = address
  if (error.code !== 'EADDRINUSE')
    return new ConfigError([`HOST and PORT name an address that cannot be listened on: ${error.message}`])
  const port = await nextFreePort(address)
  return new ConfigError([
    `PORT ${PORT} is in use on ${HOST}, perhaps by another npm start: stop that process, or use a free port: PORT=${port} npm start`,
  ])
}

/** Returns the lowest free port above PORT, or 0, which takes any free port, if there is none nearby. */
async function nextFreePort({ HOST, PORT }: ListenAddress): Promise<number> {
  for (let port = PORT + 1; port <= Math.min(PORT + maxPortsTried, maxPort); port += 1) {
    if (!(await tryToListen({ HOST, PORT: port }))) return port
  }
  return 0
}

/** Returns the error, or undefined if this process could listen. */
async function tryToListen({ HOST: host, PORT: port }: ListenAddress): Promise<NodeJS.ErrnoException | undefined> {
  const server = createServer()
  try {
    // Exclusive: in a worker process, the port would otherwise be requested from the primary.
    server.listen({ host, port, exclusive: true })
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
    return undefined
  } catch (error) {
    return error as NodeJS.ErrnoException
  }
}

const maxPort = 65_535
const maxPortsTried = 100
