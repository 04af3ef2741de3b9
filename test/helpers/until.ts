import { vi } from 'vitest'

/** Waits until the condition is true. Throws after the timeout. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  await vi.waitUntil(condition, { interval: 5, timeout: timeoutMs })
}
