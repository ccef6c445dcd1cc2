/** `node tools/bench.mjs [NAME]`: builds, then runs bench/NAME.ts, or bench/throughput.ts. Figures are for comparing within one run. */
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { endWithParents } from './end-with-parents.mjs'
import { requireSupportedNode } from './node-version.mjs'

requireSupportedNode()
endWithParents()
const { buildIfStale } = await import('./build.mjs')
await buildIfStale()

const folder = join(import.meta.dirname, '..', 'dist/bench')
const OPTIONS = ['smoke', 'json', 'docs']
const given = process.argv[2] ?? ''
const name = given === '' || OPTIONS.includes(given) ? 'throughput' : given
/** What the others share. */
const HELPERS = ['append-variants', 'costs-page', 'identity/certified-commit', 'processes', 'samples']
const HELPING_FOLDERS = ['federation/soak/', 'throughput/']
const known = (await readdir(folder, { recursive: true }))
  .filter((file) => file.endsWith('.js'))
  .map((file) => relative('.', file).replace(/\.js$/, ''))
  .filter((file) => !HELPERS.includes(file) && !HELPING_FOLDERS.some((folder) => file.startsWith(folder)))
if (!known.includes(name)) {
  console.error(`Usage: npm run bench -- NAME, with one of: ${known.toSorted().join(', ')}`)
  process.exit(1)
}
await import(pathToFileURL(join(folder, `${name}.js`)).href)
