import { findProgram } from './program.js'

/** Chromium (or Chrome) of this machine, or the one that CHROMIUM_PATH names; null where there is none. */
export function findChromium(): string | null {
  const { CHROMIUM_PATH } = process.env
  const names = CHROMIUM_PATH ? [CHROMIUM_PATH] : ['/usr/bin/chromium', 'chromium', 'chromium-browser', 'google-chrome']
  return findProgram({ names, debian: 'chromium', alpine: 'chromium' })
}

export const howToInstallChromium =
  'apt-get install chromium (Debian), apk add chromium (Alpine), or CHROMIUM_PATH=/path/to/chrome'
