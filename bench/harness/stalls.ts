import process from 'node:process'

const firstStallAfterMs = 500
const stallEveryMs = 5_000
const stallMs = 300

/**
 * Stops a process for 300 ms every 5 s, as a host without free CPU time or a long garbage collection would. Returns the function that
 * ends this, which may be called repeatedly.
 */
export function stallRegularly(pid: number): () => void {
  let timer = setTimeout(stall, firstStallAfterMs)
  let isEnded = false

  function stall(): void {
    process.kill(pid, 'SIGSTOP')
    timer = setTimeout(resume, stallMs)
  }
  function resume(): void {
    process.kill(pid, 'SIGCONT')
    timer = setTimeout(stall, stallEveryMs - stallMs)
  }
  return () => {
    if (isEnded) return
    isEnded = true
    clearTimeout(timer)
    process.kill(pid, 'SIGCONT')
  }
}
