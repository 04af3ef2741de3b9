interface Command<Options> {
  usage: string
  /** Throws an Error that says which option is wrong. */
  readOptions: () => Options
  /** Gives the exit code of the process. */
  run: (options: Options) => Promise<number>
}

/** Runs a command, unless an option is wrong: the usage is printed with what is wrong then, and alone for --help. Gives the exit code. */
export async function runCommand<Options extends object>({ usage, readOptions, run }: Command<Options>): Promise<number> {
  let options: Options
  try {
    options = readOptions()
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return 1
  }
  if ('help' in options && options.help) {
    console.log(usage)
    return 0
  }
  return run(options)
}
