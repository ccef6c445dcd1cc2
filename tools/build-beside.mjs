/** The second build: examples, benches and the other programs that run beside the server, compiled by swc with the options of .swcrc. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { transformFile } from '@swc/core'

const root = join(import.meta.dirname, '..')
export const FOLDERS_BESIDE = [
  { from: 'examples', to: 'dist/examples' },
  { from: 'bench', to: 'dist/bench' },
  { from: 'interop/run', to: 'dist/interop/run' },
  // Benches and fuzzing make their groups as the tests do.
  { from: 'test/support/mls', to: 'dist/test/support/mls' },
  { from: 'test/support/network', to: 'dist/test/support/network' },
  { from: 'test/isolation/costs', to: 'dist/test/isolation/costs' },
  { from: 'test/fuzz', to: 'dist/test/fuzz' },
  { from: 'test/federation/hostile/peer', to: 'dist/test/federation/hostile/peer' },
]

/** @returns the files that it wrote; a folder that is not there (in an image's build) has none */
export async function buildBeside() {
  const options = JSON.parse(await readFile(join(root, '.swcrc'), 'utf8'))
  return (await Promise.all(FOLDERS_BESIDE.map((folder) => compileFolder(folder, options)))).flat()
}

async function compileFolder({ from, to }, options) {
  const entries = await readdir(join(root, from), { recursive: true }).catch(() => [])
  const sources = entries.filter((file) => /(?<!\.test|\.d)\.ts$/.test(file))
  const results = await Promise.allSettled(sources.map((file) => compile(join(root, from, file), join(root, to, file), options)))
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.message] : []))
  if (errors.length > 0) throw new Error(errors.join('\n'))
  return results.map((result) => result.value)
}

async function compile(source, typed, options) {
  const target = typed.replace(/\.ts$/, '.js')
  const sourceFileName = relative(dirname(target), source)
  const { code: compiled, map } = await transformFile(source, { ...options, configFile: false, swcrc: false, sourceFileName })
  // Beside src/ there is a folder between; in dist/ there is none.
  const code = compiled.replaceAll(/((?:from|import) ?['"](?:\.\.\/)+)src\//g, '$1')
  await mkdir(dirname(target), { recursive: true })
  await writeFile(`${target}.map`, map)
  await writeFile(target, `${code}\n//# sourceMappingURL=${basename(target)}.map\n`)
  return target
}
