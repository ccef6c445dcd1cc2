import { chmod, lstat, mkdir, readlink, stat, symlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { EmbeddedPostgresError } from './embedded-error.js'
import { canRun, chooseSystemUser, type SystemUser } from './system-user.js'
import { sha256 } from '../../protocol/sha256.js'

export interface ClusterFolder {
  /** PostgreSQL's data folder; absent before the first start. */
  path: string
  user: SystemUser | undefined
}

/**
 * `<dataDir>/postgres`. Run by root from a place that the unprivileged user cannot enter (a checkout in /root), it becomes a
 * symbolic link to a folder below `sharedFolder`, so that it is found again wherever DATA_DIR moves.
 */
export async function locateCluster(dataDir: string, sharedFolder: string): Promise<ClusterFolder> {
  const base = resolve(dataDir)
  await mkdir(base, { recursive: true })
  const inside = join(base, 'postgres')
  const path = await findCluster(dataDir)
  const user = chooseSystemUser(path)
  if (!user || canRun(user, dirname(path))) return { path, user }
  if (path !== inside) throw new EmbeddedPostgresError(`${inside} points to ${path}, which the user ${user.name} cannot reach.`)
  if (await openUp(base, user)) return { path, user }
  if (await exists(path)) {
    throw new EmbeddedPostgresError(
      `PostgreSQL runs as ${user.name}, who cannot enter ${base}. Move DATA_DIR, or allow search (chmod o+x) on its parent folders.`,
    )
  }
  return { path: await moveOut(inside, sharedFolder), user }
}

/** Where the data folder is, or will be. */
export async function findCluster(dataDir: string): Promise<string> {
  const path = join(resolve(dataDir), 'postgres')
  const found = await lstat(path).catch(() => undefined)
  return found?.isSymbolicLink() ? resolve(dirname(path), await readlink(path)) : path
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

/** If only DATA_DIR itself bars the way, it is ours to open: for passing through, not for reading. */
async function openUp(base: string, user: SystemUser): Promise<boolean> {
  if (!canRun(user, dirname(base))) return false
  const { mode } = await stat(base)
  await chmod(base, (mode & 0o7777) | 0o011)
  return canRun(user, base)
}

async function moveOut(link: string, sharedFolder: string): Promise<string> {
  const name = `${basename(dirname(dirname(link)))}-${sha256(link).toString('hex').slice(0, 8)}`
  const target = join(sharedFolder, name)
  await mkdir(sharedFolder, { recursive: true, mode: 0o755 })
  await symlink(target, link)
  return target
}
