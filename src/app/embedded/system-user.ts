import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { EmbeddedPostgresError } from './embedded-error.js'

/** The operating-system user that PostgreSQL runs as. */
export interface SystemUser {
  name: string
  uid: number
  gid: number
}

/**
 * PostgreSQL refuses to run as root, so as root we run it as the first of these users that exists. initdb looks up the name of the uid, so an
 * arbitrary uid does not work.
 */
const CANDIDATES = ['postgres', 'nobody']

/**
 * The user to run PostgreSQL as, or undefined to run it as ourselves, which is what everybody but root does. A data folder that
 * exists already keeps its owner, whatever users the machine has gained since.
 */
export function chooseSystemUser(dataFolder: string): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readUsers()
  const owner = statSync(dataFolder, { throwIfNoEntry: false })
  const found = owner
    ? users.find((user) => user.uid === owner.uid)
    : CANDIDATES.map((name) => users.find((user) => user.name === name)).find((user) => user !== undefined)
  if (found && found.uid !== 0) return found
  throw new EmbeddedPostgresError(
    owner
      ? `The PostgreSQL data folder ${dataFolder} belongs to uid ${owner.uid}, which is no ordinary user of this machine.`
      : `PostgreSQL does not run as root, and this machine has no user named ${CANDIDATES.join(' or ')}. Run the server as an ordinary user.`,
  )
}

function readUsers(): SystemUser[] {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  return lines.map((line) => {
    const [name = '', , uid, gid] = line.split(':')
    return { name, uid: Number(uid), gid: Number(gid) }
  })
}

/** Whether `user` may execute the file or enter the folder, all parent folders included. Asked of the kernel rather than guessed from mode bits. */
export function canRun(user: SystemUser, path: string): boolean {
  const { status } = spawnSync('/bin/sh', ['-c', 'test -x "$0"', path], { uid: user.uid, gid: user.gid, cwd: '/' })
  return status === 0
}
