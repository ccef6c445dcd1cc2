import type { Client } from 'pg'
import { ok, problem, warning, type Finding } from '../finding.js'
import { setting } from './session.js'

/** An acknowledged Commit must not be lost: two clients would then build two histories of one epoch. */
export async function examineDurability(client: Client): Promise<Finding[]> {
  const off = []
  for (const name of ['fsync', 'full_page_writes', 'synchronous_commit']) if ((await setting(client, name)) === 'off') off.push(name)
  const kept =
    off.length === 0
      ? ok('PostgreSQL keeps what it acknowledged.')
      : problem(`${off.join(' and ')} ${off.length === 1 ? 'is' : 'are'} off: a crash would lose accepted Commits.`)
  return [kept, await examineChecksums(client)]
}

async function examineChecksums(client: Client): Promise<Finding> {
  if ((await setting(client, 'data_checksums')) === 'on') return ok('Data pages have checksums.')
  return warning('Data checksums are off: a disk that corrupts pages goes unnoticed. Stop PostgreSQL once and run pg_checksums --enable.')
}
