import { readFileSync } from 'node:fs'

/** package.json, from src/platform as well as from dist/platform. */
const FILE = new URL('../../package.json', import.meta.url)

/** The release that runs here. */
export const VERSION = (JSON.parse(readFileSync(FILE, 'utf8')) as { version: string }).version
