/** Stops this thread, as SIGSTOP or the CPU limit of a container does. */
export function stallThread(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
