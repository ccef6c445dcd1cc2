import { chown, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { EmbeddedPostgresError } from './embedded-error.js'
import type { SystemUser } from './system-user.js'

/**
 * What a client of the cluster must know. It lies inside the data folder, readable by its owner only: a user who can read it could
 * read the data anyway, and a copied folder stays usable.
 */
const ClusterSecrets = z.strictObject({ port: z.number().int(), password: z.string(), superuserPassword: z.string() })
export type ClusterSecrets = z.infer<typeof ClusterSecrets>

const FILE = 'microchat.json'

/** The role and the database that the server uses. */
export const ROLE = 'microchat'

/**
 * @param folder the data folder of a cluster that was made before
 * @throws EmbeddedPostgresError if the file is missing or does not have the expected form
 */
export async function readSecrets(folder: string): Promise<ClusterSecrets> {
  try {
    return ClusterSecrets.parse(JSON.parse(await readFile(join(folder, FILE), 'utf8')))
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `${join(folder, FILE)} is missing or damaged; without its password the embedded PostgreSQL cannot be used.`,
      { cause },
    )
  }
}

/** Replaces the file in one step, so that a crash leaves the old one or the new one. */
export async function writeSecrets(folder: string, secrets: ClusterSecrets, user: SystemUser | undefined): Promise<void> {
  const partial = join(folder, `${FILE}.${process.pid}`)
  await writeFile(partial, `${JSON.stringify(secrets, undefined, 2)}\n`, { mode: 0o600 })
  if (user) await chown(partial, user.uid, user.gid)
  await rename(partial, join(folder, FILE))
}

/** A `postgresql://` URL with the password in it: not to be logged. */
export function connectionUrl({ port, password }: ClusterSecrets): string {
  return `postgresql://${ROLE}:${password}@127.0.0.1:${port}/${ROLE}`
}
