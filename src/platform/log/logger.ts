import { createRequire } from 'node:module'
import process from 'node:process'
import { destination, type Logger, type LoggerOptions, pino, stdSerializers } from 'pino'
import type { Config } from '../../config.js'
import { LogLimit } from './log-limit.js'
import { createRedactor, secretsOf } from './secrets.js'

/**
 * Logs to the standard output, with secrets redacted: JSON, or lines for a person at a terminal. `fieldsOf` returns additional
 * fields for each line.
 */
export function createLogger(config: Config, fieldsOf?: () => object): Logger {
  const limit = new LogLimit(() => performance.now())
  const isLimited = (message: string, level: number) =>
    level >= lowestLimitedLevel && !(config.LOG_REQUESTS === 'all' && requestMessages.has(message))
  const options: LoggerOptions = {
    level: config.LOG_LEVEL,
    serializers: { err: serializeError },
    hooks: {
      logMethod(args, method, level) {
        const message = args.find((argument) => typeof argument === 'string') ?? ''
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
  // On a full disk, lines are buffered until they can be written; see maxUnwrittenBytes.
  stream.on('error', () => undefined)
  const redact = createRedactor(secretsOf(config))
  const format = isPretty(config) ? createPrettyFormat() : (line: string) => line
  return pino(options, { write: (line: string) => stream.write(format(redact(line))) })
}

/** Whether lines are for a person. The log is JSON if pino-pretty, which is a development package, is not installed. */
export function isPretty({ LOG_FORMAT: format }: Config): boolean {
  return format === undefined ? process.stdout.isTTY && isInstalled(prettyPackage) : format === 'pretty'
}

function isInstalled(name: string): boolean {
  try {
    return require.resolve(name) !== ''
  } catch {
    return false
  }
}

function createPrettyFormat(): (line: string) => string {
  const { prettyFactory } = require(prettyPackage) as typeof import('pino-pretty')
  return prettyFactory({
    // Absent if the output is not a terminal; false with NO_COLOR
    colorize: process.stdout.hasColors?.() ?? false,
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname',
    singleLine: true,
  })
}

/** Omits all other properties, because database clients attach commands and values to errors. */
function serializeError(error: Error) {
  const { type, message, stack, code } = stdSerializers.err(error)
  return { type, message, stack, code }
}

const prettyPackage = 'pino-pretty'
const require = createRequire(import.meta.url)
/** Size of the buffer for lines that cannot be written yet. Lines that exceed the buffer are lost. */
const maxUnwrittenBytes = 1024 * 1024
/** The level info. Debug lines are not limited, because they are written only if LOG_LEVEL requests them. */
const lowestLimitedLevel = 30
/** Lines with these messages are not limited if LOG_REQUESTS is `all`, so that every request is logged. */
const requestMessages = new Set(['request', 'slow request'])
