import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What nodes are upgraded from: the commit that made the baseline of the database. Moved at every release, to the one before it. */
const PREVIOUS_RELEASE = '3ea4c2bf37f68077e59d1b082746716a318d7245'

/** What its nodes say that they are; its own version may still be ours. */
export const PREVIOUS_VERSION = '0.0.0-previous'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A clone without history, or an unpacked archive, does not have it. */
export const hasPreviousRelease = spawnSync('git', ['cat-file', '-e', `${PREVIOUS_RELEASE}^{commit}`], { cwd: root }).status === 0

/** Builds it, with today's dependencies. @returns its dist/main.js */
export async function buildPreviousRelease(): Promise<string> {
  const folder = await mkdtemp(join(process.env['TEST_RUN_FOLDER'] ?? tmpdir(), 'previous-release-'))
  const archive = execFileSync('git', ['archive', PREVIOUS_RELEASE], { cwd: root, maxBuffer: 64 * 1024 ** 2 })
  execFileSync('tar', ['-x', '-C', folder], { input: archive })
  const manifest = join(folder, 'package.json')
  await writeFile(manifest, (await readFile(manifest, 'utf8')).replace(/"version": "[^"]+"/, `"version": "${PREVIOUS_VERSION}"`))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  execFileSync(process.execPath, ['tools/build.mjs'], { cwd: folder, stdio: 'pipe' })
  return join(folder, 'dist/main.js')
}
