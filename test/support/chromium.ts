import { spawnSync } from 'node:child_process'
import { describe } from '@jest/globals'
import { chromium, type Browser } from 'playwright-core'

/** Debian's, or another one; none is downloaded. */
const found = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0)
const path = found === undefined ? undefined : spawnSync('sh', ['-c', `command -v ${found}`], { encoding: 'utf8' }).stdout.trim()

/** Skipped by name where there is no Chromium. */
export const describeWithChromium = path === undefined ? describe.skip : describe

export function startChromium(): Promise<Browser> {
  if (path === undefined) throw new Error('There is no Chromium on the PATH')
  return chromium.launch({ executablePath: path, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] })
}
