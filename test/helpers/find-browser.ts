import type { TestProject } from 'vitest/node'
import { findChromium, howToInstallChromium } from './chromium-binary.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Path of the program; null: the tests that need it are skipped */
    chromium: string | null
  }
}

/** For the long tests only: no quick test opens a browser. */
export default function setUp(project: TestProject) {
  const chromium = findChromium()
  project.provide('chromium', chromium)
  return () => {
    if (chromium !== null) return
    process.stdout.write(`\nSKIPPED: every test that needs a browser, because Chromium was not found. ${howToInstallChromium}\n`)
  }
}
