import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { Pool } from 'pg'
import { closeEvidence, findEvidence, listEvidence, type EvidenceRow } from '../../federation/evidence/evidence.repository.js'
import { transaction } from '../../platform/postgres/sql.js'
import { verifyEvidence } from '../../protocol/evidence/verify-evidence.js'
import { describeVerdict } from './evidence-text.js'
import { CliError, print, type Command, withDatabase } from './command.js'

const MOST = 1_000

export const evidenceList: Command = {
  name: 'evidence list',
  usage: '[--closed] [--limit 50] What hubs have signed against themselves, the oldest first.',
  async run(args) {
    const options = { closed: { type: 'boolean', default: false }, limit: { type: 'string', default: '50' } } as const
    const { values } = parseArgs({ args: [...args], options })
    const limit = Number(values.limit)
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST) throw new CliError(`--limit takes a number from 1 to ${MOST}.`)
    const rows = await withDatabase((pool) => listEvidence(pool, { closed: values.closed, limit }))
    print(rows.length === 0 ? 'There is no such evidence.' : rows.map(describe).join('\n'))
  },
}

/** E.g. `7  2026-01-31T12:00:00Z  a.example  two-histories, the group is followed no further: it has signed another history, …` */
function describe({ id, foundAt, hub, kind, stops, closedAt, why, hasDocument }: EvidenceRow): string {
  const standing = stops && closedAt === null ? ', the group is followed no further' : ''
  return `${id}  ${time(foundAt)}  ${hub}  ${kind}${standing}: ${why}${hasDocument ? '' : ' (no file: it proves nothing to others)'}`
}

function time(date: Date): string {
  return date.toISOString().replace(/\.\d+/, '')
}

export const evidenceShow: Command = {
  name: 'evidence show',
  usage: 'ID                      One finding, and what its file proves.',
  async run(args) {
    const found = await withFinding(numberIn(args), findEvidence)
    print(describe(found))
    print(`  room ${found.roomId}, group ${found.groupId.toString('base64url')}, incarnation ${found.incarnation}, seq ${found.seq}`)
    if (found.closedAt) print(`  closed ${time(found.closedAt)}`)
    if (found.document !== null) print(describeVerdict(verifyEvidence(found.document)))
  },
}

export const evidenceExport: Command = {
  name: 'evidence export',
  usage: 'ID [FILE]             The file of a finding, for others: it can be checked without this server.',
  async run(args) {
    const { document } = await withFinding(numberIn(args), findEvidence)
    if (document === null || verifyEvidence(document).kind !== 'proven')
      throw new CliError('There is no file of this finding: what is kept of it proves nothing to others.')
    const [, file] = args
    if (file === undefined) return print(document)
    await writeFile(file, `${document}\n`, { flag: 'wx' })
    print(`Written to ${file}. Check it with: evidence verify ${file}`)
  },
}

/** More than any file of evidence has. */
const MOST_BYTES = 32 * 1024 * 1024

export const evidenceVerify: Command = {
  name: 'evidence verify',
  usage:
    'FILE [--key X]...     Check a file of evidence, without database and settings. --key: a public key that you know to be the hub\u2019s.',
  async run(args) {
    const options = { key: { type: 'string', multiple: true, default: [] as string[] } } as const
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const [file] = positionals
    if (file === undefined || positionals.length > 1) throw new CliError('Which file? Give the one that `evidence export` has written.')
    if (!values.key.every((x) => /^[A-Za-z0-9_-]{43}$/.test(x))) throw new CliError('--key takes a public key: 43 characters of base64url.')
    const text = await readText(file)
    const verdict = verifyEvidence(text, values.key)
    if (verdict.kind === 'not-proven') throw new CliError(describeVerdict(verdict))
    print(describeVerdict(verdict, values.key.length > 0))
  },
}

async function readText(file: string): Promise<string> {
  const bytes = await readFile(file).catch(() => {
    throw new CliError(`${file} cannot be read.`)
  })
  if (bytes.length > MOST_BYTES) throw new CliError(`${file} is larger than any file of evidence.`)
  return bytes.toString('utf8')
}

export const evidenceClose: Command = {
  name: 'evidence close',
  usage: 'ID                     It has been dealt with. A group that it stopped is followed again.',
  async run(args) {
    const id = numberIn(args)
    const { closed, resumed } = await withDatabase((pool) => transaction(pool, (sql) => closeEvidence(sql, id)))
    if (!closed) throw new CliError(`There is no open evidence ${id}.`)
    const more = resumed ? ' The group is followed again: the hub pushes within six hours, or when its operator says `peers retry`.' : ''
    print(`Evidence ${id} is closed, and kept.${more}`)
  },
}

async function withFinding<T>(id: bigint, find: (pool: Pool, id: bigint) => Promise<T | undefined>): Promise<T> {
  const found = await withDatabase((pool) => find(pool, id))
  if (found === undefined) throw new CliError(`There is no evidence ${id}.`)
  return found
}

function numberIn(args: readonly string[]): bigint {
  const [number = ''] = args
  if (!/^[0-9]{1,15}$/.test(number)) throw new CliError('Which evidence? Give the number that `evidence list` shows.')
  return BigInt(number)
}
