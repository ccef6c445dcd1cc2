/**
 * `node tools/prune-modules.mjs`: takes from node_modules what a running server never reads; the Dockerfile does it, nobody else should.
 * Only by rules that hold whatever the packages' versions are: files that Node does not load (unread-files.mjs), and those of Prisma's query compilers
 * (one per database, each in several forms) that the generated client does not name.
 */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { isUnread } from './unread-files.mjs'

const root = join(import.meta.dirname, '..')

const compilers = 'node_modules/@prisma/client/runtime'
const named = compilersNamedIn('dist/generated')
const unread = filesIn('node_modules').filter(({ path }) => isUnread(relative(root, path).replaceAll(sep, '/')))
const unnamed = filesIn(compilers).filter(({ name }) => name.startsWith('query_compiler_') && !named.has(name))
const bytes = [...unread, ...unnamed].reduce((sum, { path }) => sum + remove(path), 0)
console.log(`Took ${Math.round(bytes / 1e6)} MB out of node_modules; Prisma keeps ${[...named].join(', ')}`)

/** File names as the generated client imports them. None at all would mean that Prisma has changed, and that this rule is wrong. */
function compilersNamedIn(folder) {
  const text = filesIn(folder).map(({ path }) => readFileSync(path, 'utf8'))
  const imports = text.flatMap((source) => [...source.matchAll(/@prisma\/client\/runtime\/(query_compiler_[\w.-]+)['"]/g)])
  const found = new Set(imports.map(([, name]) => name))
  const missing = [...found].filter((name) => !statSync(join(root, compilers, name), { throwIfNoEntry: false }))
  if (found.size === 0 || missing.length > 0)
    throw new Error(`Prisma's client names ${found.size} query compilers; missing: ${missing.join(', ')}`)
  return found
}

function filesIn(folder) {
  const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name, parentPath }) => ({ name, path: join(parentPath, name) }))
}

function remove(path) {
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? { size: 0 }
  rmSync(path, { force: true })
  return size
}
