import { findProgram } from './program.js'

/** Finds Chromium or Chrome: the one in CHROMIUM_PATH, or an installed one. null: none found */
export function findChromium(): string | null {
  const { CHROMIUM_PATH } = process.env
  const names = CHROMIUM_PATH ? [CHROMIUM_PATH] : ['/usr/bin/chromium', 'chromium', 'chromium-browser', 'google-chrome']
  return findProgram({ names, debian: 'chromium', alpine: 'chromium' })
}

export const howToInstallChromium =
  'apt-get install chromium (Debian), apk add chromium (Alpine), or CHROMIUM_PATH=/path/to/chrome'
