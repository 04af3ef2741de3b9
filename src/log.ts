import { type DestinationStream, destination, type Logger, pino, stdSerializers } from 'pino'
import type { Config } from './config.js'
import { createRedactor, secretsOf } from './secrets.js'

/** Lines of JSON on the standard output, without secrets. `fieldsOf` gives what every line gets besides. */
export function createLogger(config: Config, fieldsOf?: () => object): Logger {
  const options = { level: config.LOG_LEVEL, serializers: { err: serializeError }, ...(fieldsOf && { mixin: fieldsOf }) }
  const stream = destination({ dest: 1, sync: true, maxLength: maxUnwrittenBytes })
  // Lines that a full disk does not take are kept for when it does.
  stream.on('error', () => undefined)
  return pino(options, withoutSecrets(stream, createRedactor(secretsOf(config))))
}

function withoutSecrets(stream: DestinationStream, redact: (text: string) => string): DestinationStream {
  return { write: (line) => stream.write(redact(line)) }
}

/** Nothing else: clients of databases put commands and their values into their errors. */
function serializeError(error: Error) {
  const { type, message, stack, code } = stdSerializers.err(error)
  return { type, message, stack, code }
}

/** What comes on top of that is lost. */
const maxUnwrittenBytes = 1024 * 1024
