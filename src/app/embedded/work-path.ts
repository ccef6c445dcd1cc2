import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

const MARK = '.making-'

/**
 * A path next to `target` to make it at, before one rename puts it into place. Removes what earlier attempts left there that were
 * killed; one that is still at work keeps its own.
 */
export async function workPath(target: string): Promise<string> {
  const prefix = `${basename(target)}${MARK}`
  const attempts = (await readdir(dirname(target))).filter((name) => name.startsWith(prefix))
  const abandoned = attempts.filter((name) => !isOtherProcess(Number(name.slice(prefix.length))))
  // An orphaned initdb may still be writing there: it fails as its folder goes, and then the folder can go.
  const options = { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }
  await Promise.all(abandoned.map((name) => rm(join(dirname(target), name), options)))
  return `${target}${MARK}${process.pid}`
}

function isOtherProcess(pid: number): boolean {
  try {
    return pid !== process.pid && process.kill(pid, 0)
  } catch {
    return false
  }
}
