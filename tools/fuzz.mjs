/** `node tools/fuzz.mjs [--seconds N] [--seed N]`: builds, then runs test/fuzz/fuzz.ts. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { endWithParents } from './end-with-parents.mjs'
import { requireSupportedNode } from './node-version.mjs'

requireSupportedNode()
endWithParents()
const { buildIfStale } = await import('./build.mjs')
await buildIfStale()
await import(pathToFileURL(join(import.meta.dirname, '../dist/test/fuzz/fuzz.js')).href)
