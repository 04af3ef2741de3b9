export function monotonic(): number {
  return performance.now()
}
