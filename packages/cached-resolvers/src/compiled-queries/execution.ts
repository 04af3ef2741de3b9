import { JsonBuffer } from './json-buffer.js'

/** Writes a resolved value. Throws if the value cannot be written; the standard execution then has to run the request instead. */
export type Writer = (value: unknown, buffer: JsonBuffer, execution: Execution) => void

/** One execution of a compiled query. */
export class Execution {
  private pending = 0
  private failure: { error: unknown } | undefined
  private settle: { resolve: (json: string) => void; reject: (error: unknown) => void } | undefined
  private readonly root = new JsonBuffer()

  constructor(
    readonly variables: Readonly<Record<string, unknown>>,
    readonly context: unknown,
  ) {}

  /** Returns the JSON, or a promise of the JSON if any resolver returned a promise that has not settled. */
  start(write: Writer): string | Promise<string> {
    write(undefined, this.root, this)
    if (this.failure) throw this.failure.error
    if (this.pending === 0) return this.root.toString()
    return new Promise((resolve, reject) => {
      this.settle = { resolve, reject }
    })
  }

  /**
   * Reserves a placeholder for a promised value and returns. The value is written into the placeholder when the promise settles.
   */
  writeLater(value: PromiseLike<unknown>, buffer: JsonBuffer, write: Writer): void {
    const placeholder = buffer.placeholder()
    this.pending += 1
    value.then((settled) => this.fill(settled, placeholder, write), this.fail)
  }

  /**
   * Rejects the promise of start(). A thenable may call back synchronously, before start() has created the promise; start() then
   * throws the stored failure.
   */
  private readonly fail = (error: unknown): void => {
    this.failure ??= { error }
    this.settle?.reject(error)
  }

  private fill(value: unknown, placeholder: JsonBuffer, write: Writer): void {
    try {
      write(value, placeholder, this)
      this.pending -= 1
      if (this.pending === 0) this.settle?.resolve(this.root.toString())
    } catch (error) {
      this.fail(error)
    }
  }
}
