import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { programFailure } from './embedded-error.js'
import type { Binaries } from './binaries.js'
import type { ClusterFolder } from './cluster-folder.js'
import { ROLE, writeSecrets } from './cluster-secrets.js'
import { workPath } from './work-path.js'

/**
 * Makes the data folder unless it exists: initdb, then our role and database. All is done next to the final place and moved there
 * by one rename, so a start that was killed half-way leaves nothing that looks like a cluster.
 */
export async function initialise({ path, user }: ClusterFolder, binaries: Binaries, extraArguments: string[] = []): Promise<void> {
  if (await exists(path)) return
  const work = await workPath(path)
  const data = join(work, 'data')
  const run = (program: string, args: string[], input = ''): Promise<void> => runProgram(program, args, { input, cwd: work, user, path })
  try {
    await mkdir(work, { mode: 0o700 })
    const secrets = { port: 0, password: newPassword(), superuserPassword: newPassword() }
    const passwordFile = join(work, 'password')
    await writeFile(passwordFile, secrets.superuserPassword, { mode: 0o600 })
    if (user) await Promise.all([work, passwordFile].map((created) => chown(created, user.uid, user.gid)))
    await run(binaries.initdb, [...INITDB, ...extraArguments, `--pgdata=${data}`, `--pwfile=${passwordFile}`])
    await run(binaries.postgres, ['--single', '-D', data, 'postgres'], bootstrapSql(secrets.password))
    await writeSecrets(data, secrets, user)
    await rename(data, path)
  } catch (error) {
    if (!(await exists(path))) throw error // else another process was faster: its cluster is as good
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/**
 * Passwords (SCRAM) for every connection, as any user of the machine can reach a loopback port. Byte order as collation: it is the
 * same on every system, so an index survives an upgrade of the C library.
 */
const INITDB = ['--username=postgres', '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-instructions']

/** For single-user mode, where each line is one statement. The server's own role owns its database and is no superuser. */
function bootstrapSql(password: string): string {
  return [`CREATE ROLE ${ROLE} LOGIN CREATEDB PASSWORD '${password}'`, `CREATE DATABASE ${ROLE} OWNER ${ROLE}`, ''].join('\n')
}

function newPassword(): string {
  return randomBytes(24).toString('base64url')
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

interface RunOptions {
  input: string
  cwd: string
  user: ClusterFolder['user']
  /** The data folder that is made, for messages. */
  path: string
}

async function runProgram(program: string, args: string[], { input, cwd, user, path }: RunOptions): Promise<void> {
  const identity = user ? { uid: user.uid, gid: user.gid } : {}
  const child = spawn(program, args, { cwd, ...identity, env: { PATH: process.env['PATH'], LC_ALL: 'C' } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stdin.on('error', () => undefined) // a program that ends early says why in its output
  child.stdin.end(input)
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  // Single-user mode reports a failed statement as ERROR and continues.
  if (code !== 0 || /\b(ERROR|FATAL):/.test(output)) throw programFailure(`${program} failed (${String(code)})`, output, path)
}
