import type { Sql } from '../../platform/postgres/sql.js'
import type { CheckedHead } from './signed-heads.js'
import { directoryOfKey } from './kept-directories.repository.js'
import { readHead, writeHead, type StoredLink } from './head-record.js'

/** Every so many entries the head of that time is kept, so that a proof of what stood there takes few of the entries after it. */
const CHECKPOINT = 256n

/** A head with the hash of the directory that names its key. */
export interface KeptHead extends CheckedHead {
  readonly directory: Buffer | null
}

/**
 * The head of a batch that was stored becomes the latest of the replica; the one before it is kept where a new stretch begins.
 * @param begins the batch does not continue what was stored before
 */
export async function keepHead(sql: Sql, gid: bigint, head: CheckedHead, begins: boolean): Promise<void> {
  const last = await latestHead(sql, gid)
  const passes = last && last.statement.seq / CHECKPOINT !== head.statement.seq / CHECKPOINT
  const isOther = last && last.statement.incarnation !== head.statement.incarnation
  if (last && (begins || passes || isOther)) await keepFormerHead(sql, gid, last.statement)
  await replaceHead(sql, gid, writeHead(head), await directoryOfKey(sql, head.statement.hub, head.keyId))
}

/** The latest head of a replica. @param head written by `writeHead` @param directory hash of the one that names its key */
export async function replaceHead(sql: Sql, gid: bigint, head: string, directory: Uint8Array | null): Promise<void> {
  await sql.query({
    name: 'replace_head',
    text: 'UPDATE followed_group SET head = $2, head_directory = $3 WHERE gid = $1',
    values: [gid, head, directory],
  })
}

/** Keeps the latest head beside the one that is about to take its place. */
export async function keepFormerHead(sql: Sql, gid: bigint, { incarnation, seq }: { incarnation: number; seq: bigint }): Promise<void> {
  await sql.query({
    name: 'keep_former_head',
    text: `INSERT INTO kept_head (gid, incarnation, seq, head, directory) SELECT $1, $2, $3, f.head, f.head_directory
             FROM followed_group f WHERE f.gid = $1 AND f.head IS NOT NULL ON CONFLICT DO NOTHING`,
    values: [gid, incarnation, seq],
  })
}

/** The latest head of a replica. */
export async function latestHead(sql: Sql, gid: bigint): Promise<KeptHead | undefined> {
  const { rows } = await sql.query<{ head: string | null; directory: Buffer | null }>({
    name: 'latest_head',
    text: 'SELECT head, head_directory AS directory FROM followed_group WHERE gid = $1',
    values: [gid],
  })
  return read(rows[0])
}

/** The earliest head that is kept of a place or one after it, in an incarnation. */
export async function headFrom(sql: Sql, gid: bigint, incarnation: number, seq: bigint): Promise<KeptHead | undefined> {
  const { rows } = await sql.query<{ head: string | null; directory: Buffer | null }>({
    text: `SELECT head, directory FROM kept_head WHERE gid = $1 AND incarnation = $2 AND seq >= $3 ORDER BY seq LIMIT 1`,
    values: [gid, incarnation, seq],
  })
  const latest = await latestHead(sql, gid)
  const isLater = latest && latest.statement.incarnation === incarnation && latest.statement.seq >= seq
  return read(rows[0]) ?? (isLater ? latest : undefined)
}

function read(row: { head: string | null; directory: Buffer | null } | undefined): KeptHead | undefined {
  return row?.head == null ? undefined : { ...readHead(row.head), directory: row.directory }
}

/** What a proof needs of the entries of a replica from one seq to another, both included. */
export async function linksOf(sql: Sql, gid: bigint, fromSeq: bigint, toSeq: bigint): Promise<StoredLink[]> {
  const { rows } = await sql.query<StoredLink>({
    text: 'SELECT seq, kind, epoch, hash, chain FROM log WHERE gid = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq',
    values: [gid, fromSeq, toSeq],
  })
  return rows
}

/** Deletes heads of groups that are gone, and of entries that are retired. */
export async function forgetHeads(sql: Sql): Promise<void> {
  // By its group's row, and not all groups at once.
  await sql.query(
    `DELETE FROM kept_head k
      WHERE EXISTS (SELECT FROM (SELECT g.deleted_at, g.floor_seq FROM groups g WHERE g.gid = k.gid OFFSET 0) x WHERE x.deleted_at IS NOT NULL OR k.seq < x.floor_seq)`,
  )
}
