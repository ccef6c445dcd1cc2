import type { Sql } from '../../platform/postgres/sql.js'
import { MAX_DIRECTORIES } from '../../protocol/evidence/document.js'
import { sha256 } from '../../protocol/sha256.js'

/** Of the payload of a directory (docs/federation-profile.md, Discovery). Times are Unix seconds. */
interface DirectoryContent {
  readonly domain: string
  readonly issued_at: number
  readonly expires_at: number
  readonly keys: readonly { readonly kid: string; readonly x: string; readonly nbf: number; readonly exp?: number | undefined }[]
}

/**
 * So often may a provider change its keys, in a day and in 400 days: each change is kept, and all of them fit into one file of evidence, or what was
 * signed before could not be proven any more.
 */
const MOST_CHANGES = { inDay: 24, inAll: MAX_DIRECTORIES - 2 }

/**
 * Directories of the same keys that end within an hour are kept no more often: a peer can show another one at each look, and have somebody cause a look
 * every ten seconds. By itself a copy is fetched again after as long (`DirectoryTimes.fresh`).
 */
const KEPT_MINUTES = 30

/**
 * Keeps a directory that has come into force, unless one of the same keys was kept within a day and has an hour to go: heads and receipts that its keys
 * sign can be checked by it when the provider shows others. A key with other times is another one: what it signs later is proven by this directory only.
 * @param signed the JWS @param content of its payload
 * @returns false: the provider changes its keys too often to be believed
 */
export async function keepDirectory(sql: Sql, signed: object, content: DirectoryContent): Promise<boolean> {
  const { domain, keys } = content
  const document = JSON.stringify(signed)
  const { rows } = await sql.query<{ many: boolean }>({
    name: 'keep_directory',
    text: `WITH latest AS (
             SELECT d.keys, d.issued_at, d.expires_at, d.kept_at FROM kept_directory d WHERE d.domain = $1 ORDER BY d.kept_at DESC, d.issued_at DESC LIMIT 1
           ), changes AS (
             SELECT count(*) FILTER (WHERE d.kept_at > now() - interval '1 day') >= $7 OR count(*) >= $9 AS many
               FROM kept_directory d WHERE d.domain = $1 AND d.changed AND d.kept_at > now() - interval '400 days'
           ), kept AS (
             INSERT INTO kept_directory (domain, hash, keys, key_ids, changed, issued_at, expires_at, document)
             SELECT $1, $2, $3, $8, coalesce((SELECT l.keys <> $3 FROM latest l), true), $4, $5, $6
              WHERE NOT EXISTS (SELECT FROM latest l WHERE l.keys = $3 AND (l.kept_at > now() - $10 * interval '1 minute'
                                   OR l.issued_at > $4::timestamptz - interval '1 day' AND l.expires_at > now() + interval '1 hour'))
                AND NOT ((SELECT many FROM changes) AND coalesce((SELECT l.keys <> $3 FROM latest l), false))
             ON CONFLICT DO NOTHING
           )
           SELECT (SELECT many FROM changes) AND coalesce((SELECT l.keys <> $3 FROM latest l), false) AS many`,
    values: [
      domain,
      sha256(Buffer.from(document)),
      keys.map(({ kid, x, nbf, exp = '' }) => `${kid}:${x}:${nbf}:${exp}`).sort(),
      new Date(content.issued_at * 1000),
      new Date(content.expires_at * 1000),
      document,
      MOST_CHANGES.inDay,
      keys.map(({ kid }) => kid),
      MOST_CHANGES.inAll,
      KEPT_MINUTES,
    ],
  })
  return rows[0]?.many !== true
}

/** The hash of the directory by which a signature of now can be checked later; null if none is kept yet. */
export async function directoryOfKey(sql: Sql, domain: string, keyId: string): Promise<Buffer | null> {
  const { rows } = await sql.query<{ hash: Buffer }>({
    name: 'directory_of_key',
    text: 'SELECT hash FROM kept_directory WHERE domain = $1 AND $2 = ANY (key_ids) ORDER BY issued_at DESC LIMIT 1',
    values: [domain, keyId],
  })
  return rows[0]?.hash ?? null
}

/** The directories of these hashes, and those between them in which keys have changed, the oldest first. */
export async function directoriesBetween(sql: Sql, domain: string, hashes: readonly Uint8Array[]): Promise<string[]> {
  const { rows } = await sql.query<{ document: string }>({
    text: `WITH ends AS (SELECT min(issued_at) AS lo, max(issued_at) AS hi FROM kept_directory WHERE domain = $1 AND hash = ANY ($2::bytea[])),
                found AS (
                  SELECT d.hash, d.document, d.issued_at, d.hash = ANY ($2::bytea[]) AS named FROM kept_directory d, ends e
                   WHERE d.domain = $1 AND (d.hash = ANY ($2::bytea[]) OR d.changed AND d.issued_at BETWEEN e.lo AND e.hi)
                   ORDER BY named DESC, d.issued_at LIMIT ${MAX_DIRECTORIES}
                )
           SELECT document FROM found ORDER BY issued_at`,
    values: [domain, hashes],
  })
  return rows.map(({ document }) => document)
}

/** Deletes directories that no head and no receipt rests on: after a week, after 400 days where keys have changed in them. */
export async function forgetDirectories(sql: Sql): Promise<void> {
  await sql.query(
    `DELETE FROM kept_directory d
      WHERE d.kept_at < now() - CASE WHEN d.changed THEN interval '400 days' ELSE interval '7 days' END
        AND NOT EXISTS (SELECT FROM kept_head k WHERE k.directory = d.hash)
        AND NOT EXISTS (SELECT FROM followed_group f WHERE f.head_directory = d.hash)
        AND NOT EXISTS (SELECT FROM peer_deletion p WHERE p.receipt_directory = d.hash)
        AND NOT EXISTS (SELECT FROM peer_erasure p WHERE p.receipt_directory = d.hash)`,
  )
}
