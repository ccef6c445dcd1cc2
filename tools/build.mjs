/**
 * Builds dist/: Prisma's client, then the server by `nest build` (nest-cli.json, .swcrc), and meanwhile what stands beside src/
 * (build-beside.mjs). It checks no types: `npm run types` does.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildBeside, FOLDERS_BESIDE } from './build-beside.mjs'
import { generatePrismaIfStale } from './prisma-generate.mjs'

const root = join(import.meta.dirname, '..')
const STAMP = join(root, 'dist/.build')
/** What decides how sources are compiled, beside the sources. */
const SETTINGS = ['nest-cli.json', '.swcrc', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json', 'prisma/schema.prisma', 'tools']

/** Builds unless dist/ is what a build of these sources left. @throws with what the compilers said */
export async function buildIfStale() {
  if ((await readFile(STAMP, 'utf8').catch(() => '')) !== (await stamp(await fingerprint()))) await build()
}

/** @throws with what the compilers said */
export async function build() {
  await generatePrismaIfStale()
  // Of the sources as they are before: one that is changed meanwhile is compiled by the next build.
  const sources = await fingerprint()
  const [server, beside] = await Promise.all([nestBuild(), buildBeside()])
  await removeAllBut(new Set([...server, ...beside]))
  await writeFile(STAMP, await stamp(sources))
}

/** @returns the files of dist/ that it stands for */
async function nestBuild() {
  const nest = join(root, 'node_modules/@nestjs/cli/bin/nest.js')
  const child = spawn(process.execPath, [nest, 'build'], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`nest build failed:\n${output}`)
  const sources = (await filesIn('src')).filter((file) => /(?<!\.test|\.d)\.ts$/.test(file))
  return sources.map((file) => file.replace(join(root, 'src'), join(root, 'dist')).replace(/\.ts$/, '.js'))
}

/**
 * Clears away what deleted sources left. `nest build` could delete dist/ first, but a server that runs from it loads modules later, too:
 * files that are still there are overwritten in place.
 */
async function removeAllBut(written) {
  const files = await filesIn('dist')
  await Promise.all(files.filter((file) => !written.has(file.replace(/\.map$/, ''))).map((file) => rm(file, { force: true })))
}

/** The sources by name, size and time of change, so that nothing need be read. */
async function fingerprint() {
  const inputs = [...SETTINGS, 'src', ...FOLDERS_BESIDE.map(({ from }) => from)]
  const files = (await Promise.all(inputs.map(filesIn)))
    .flat()
    .filter((file) => !file.endsWith('.test.ts'))
    .toSorted()
  const facts = await Promise.all(files.map((file) => stat(file)))
  const hash = createHash('sha256')
  files.forEach((file, index) => hash.update(`${file} ${facts[index]?.size} ${facts[index]?.mtimeMs}\n`))
  return hash.digest('hex')
}

/** With the number of files in dist/, in case some were deleted. */
async function stamp(sources) {
  const built = (await filesIn('dist')).filter((file) => file !== STAMP)
  return `${sources} ${built.length}`
}

/** All files under a folder, or the one file that it is; none if it is not there. */
async function filesIn(path) {
  const full = join(root, path)
  const entries = await readdir(full, { recursive: true, withFileTypes: true }).catch((error) =>
    error.code === 'ENOTDIR' ? undefined : [],
  )
  if (entries === undefined) return [full]
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

if (import.meta.filename === process.argv[1]) {
  const start = performance.now()
  try {
    await build()
    console.log(`Built dist/ in ${Math.round(performance.now() - start)} ms`)
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
