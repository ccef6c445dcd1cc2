import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transformFile } from '@swc/core'
import { generatePrismaIfStale } from './prisma-generate.mjs'
import { swcOptions } from './swc-options.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const GENERATED = { from: 'src/generated', to: 'dist/generated' }
const FOLDERS = [
  { from: 'src', to: 'dist', except: 'src/generated' },
  { from: 'examples', to: 'dist/examples' },
  { from: 'bench', to: 'dist/bench' },
  // Benches and fuzzing make their groups as the tests do.
  { from: 'test/support/mls', to: 'dist/test/support/mls' },
  { from: 'test/support/network', to: 'dist/test/support/network' },
  { from: 'test/isolation/costs', to: 'dist/test/isolation/costs' },
  { from: 'test/fuzz', to: 'dist/test/fuzz' },
]

/** Strips the types of every source into dist/, with source maps. It checks nothing: `npm run types` does. */
export async function build() {
  // Prisma's generator takes a second: meanwhile everything but its output is compiled.
  const generated = generatePrismaIfStale().then(() => compileFolder(GENERATED))
  const written = (await Promise.all([...FOLDERS.map(compileFolder), generated])).flat()
  await removeAllBut(new Set(written))
  return written.length
}

async function compileFolder({ from, to, except }) {
  const entries = await readdir(join(root, from), { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const sources = files.filter((file) => /(?<!\.test|\.d)\.ts$/.test(file) && !(except && file.startsWith(join(root, except))))
  const results = await Promise.allSettled(sources.map((source) => compile(source, from, to)))
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.message] : []))
  if (errors.length > 0) throw new Error(errors.join('\n'))
  return results.map((result) => result.value)
}

async function compile(source, from, to) {
  const target = join(root, to, relative(join(root, from), source)).replace(/\.ts$/, '.js')
  const { code: compiled, map } = await transformFile(source, {
    ...swcOptions,
    configFile: false,
    swcrc: false,
    sourceMaps: true,
    sourceFileName: relative(dirname(target), source),
  })
  // Beside src/ there is a folder between; in dist/ there is none.
  const code = compiled.replaceAll(/((?:from|import) ?['"](?:\.\.\/)+)src\//g, '$1')
  await mkdir(dirname(target), { recursive: true })
  await writeFile(`${target}.map`, map)
  await writeFile(target, `${code}\n//# sourceMappingURL=${basename(target)}.map\n`)
  return target
}

/** Clears away what deleted sources left. The rest is overwritten in place, so that a server running from dist/ can still load it. */
async function removeAllBut(written) {
  const entries = await readdir(join(root, 'dist'), { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  await Promise.all(files.filter((file) => !written.has(file.replace(/\.map$/, ''))).map((file) => rm(file, { force: true })))
}

if (import.meta.filename === process.argv[1]) {
  const start = performance.now()
  const count = await build()
  console.log(`Built ${count} files into dist/ in ${Math.round(performance.now() - start)} ms`)
}
