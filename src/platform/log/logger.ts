import { type DestinationStream, destination, type Logger, type LoggerOptions, pino, stdSerializers } from 'pino'
import type { Config } from '../../config.js'
import { LogLimit } from './log-limit.js'
import { createRedactor, secretsOf } from './secrets.js'

/** Lines of JSON on the standard output, without secrets. `fieldsOf` gives what every line gets besides. */
export function createLogger(config: Config, fieldsOf?: () => object): Logger {
  const limit = new LogLimit(() => performance.now())
  const isLimited = (message: string, level: number) =>
    level >= leastLimitedLevel && !(config.LOG_REQUESTS === 'all' && requestMessages.has(message))
  const options: LoggerOptions = {
    level: config.LOG_LEVEL,
    serializers: { err: serializeError },
    hooks: {
      logMethod(args, method, level) {
        const message = args.find((its) => typeof its === 'string') ?? ''
        const omitted = isLimited(message, level) ? limit.admit(message) : 0
        if (omitted === undefined) return
        const [first, ...others] = args as [object | string, ...unknown[]]
        if (omitted === 0) method.apply(this, args)
        else if (typeof first === 'string') method.apply(this, [{ omitted }, first, ...others] as never)
        else method.apply(this, [{ ...first, omitted }, ...others] as never)
      },
    },
    ...(fieldsOf && { mixin: fieldsOf }),
  }
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
/** Info: what is below is for whoever asked for it. */
const leastLimitedLevel = 30
/** One for each request, where that is what is wanted */
const requestMessages = new Set(['request', 'slow request'])
