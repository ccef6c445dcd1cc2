/** `node tools/start.mjs [FILE]`: builds, then runs dist/FILE (main.js) in this same process, so that signals reach it directly. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { endWithParents } from './end-with-parents.mjs'
import { requireSupportedNode } from './node-version.mjs'

requireSupportedNode()
endWithParents()
const { buildIfStale } = await import('./build.mjs')
await buildIfStale()

const dist = join(import.meta.dirname, '..', 'dist')
const target = process.argv[2]?.endsWith('.js') ? process.argv.splice(2, 1)[0] : 'main.js'
process.argv[1] = join(dist, target)
process.setSourceMapsEnabled(true)
await import(pathToFileURL(process.argv[1]).href)
