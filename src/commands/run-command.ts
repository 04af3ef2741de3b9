import { parseArgs } from 'node:util'

interface Command<Options extends { help: boolean }> {
  usage: string
  /** Throws an Error that names the invalid option. */
  readOptions: () => Options
  /** Returns the exit code of the process. */
  run: (options: Options) => Promise<number>
}

/**
 * Runs a command and returns the exit code. For --help, only prints the usage. If an option is invalid, prints the error and the
 * usage, and returns 2.
 */
export async function runCommand<Options extends { help: boolean }>({
  usage,
  readOptions,
  run,
}: Command<Options>): Promise<number> {
  let options: Options
  try {
    options = readOptions()
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return 2
  }
  if (options.help) {
    console.log(usage)
    return 0
  }
  return run(options)
}

/** For commands without other options */
export function readHelpOption(): { help: boolean } {
  return parseArgs({ options: { help: { type: 'boolean', default: false } } }).values
}
