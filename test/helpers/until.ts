import { vi } from 'vitest'

/** Waits for a condition, and fails when it does not come true. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  await vi.waitUntil(condition, { interval: 5, timeout: timeoutMs })
}
