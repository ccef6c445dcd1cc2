import type { Sql } from '../../platform/postgres/sql.js'
import type { EvidenceKind } from '../../protocol/evidence/document.js'

/** Open files about one hub take no more than this: more of them would prove nothing more. */
const MOST_BYTES = 64 * 1024 * 1024

/** What was found about a hub. */
export interface Finding {
  readonly hub: string
  readonly kind: EvidenceKind
  /** As MLS has it. */
  readonly groupId: Uint8Array
  readonly roomId: string
  readonly incarnation: number
  readonly seq: bigint
  /** For the operator. */
  readonly why: string
  /** The file; undefined if what is kept proves nothing to others. */
  readonly document: string | undefined
  /** The group is followed no further because of it. */
  readonly stops: boolean
}

/** Keeps a finding once, until the operator has closed it. */
export async function keepEvidence(sql: Sql, found: Finding): Promise<void> {
  await sql.query({
    text: `INSERT INTO evidence (hub, kind, group_id, room_id, incarnation, seq, why, stops, document)
           SELECT $1, $2, $3, $4, $5, $6, $7, $8,
                  CASE WHEN (SELECT coalesce(sum(octet_length(e.document)), 0) FROM evidence e WHERE e.hub = $1 AND e.closed_at IS NULL) < $10 THEN $9 END
           ON CONFLICT DO NOTHING`,
    values: [
      found.hub,
      found.kind,
      found.groupId,
      found.roomId,
      found.incarnation,
      found.seq,
      found.why,
      found.stops,
      found.document ?? null,
      MOST_BYTES,
    ],
  })
}

/** Follows a group no further until an operator has closed the evidence. */
export async function stopReplica(sql: Sql, gid: bigint, why: 'equivocation' | 'rewritten'): Promise<void> {
  await sql.query({ text: 'UPDATE followed_group SET stopped = $2 WHERE gid = $1', values: [gid, why] })
}

/** A group at a hub that is known here with another room: a head for this one contradicts what the hub has signed before. @returns its gid */
export async function findOtherRoom(sql: Sql, hub: string, groupId: Uint8Array, roomId: string): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ gid: bigint }>({
    text: 'SELECT gid FROM followed_group WHERE hub = $1 AND coalesce(mls_group_id, group_id) = $2 AND room_id <> $3 AND gid IS NOT NULL AND head IS NOT NULL',
    values: [hub, groupId, roomId],
  })
  return rows[0]?.gid
}

export interface EvidenceRow {
  id: bigint
  hub: string
  kind: EvidenceKind
  groupId: Buffer
  roomId: string
  incarnation: number
  seq: bigint
  why: string
  stops: boolean
  hasDocument: boolean
  foundAt: Date
  closedAt: Date | null
}

const COLUMNS = `id, hub, kind, group_id AS "groupId", room_id AS "roomId", incarnation, seq, why, stops, document IS NOT NULL AS "hasDocument",
                 found_at AS "foundAt", closed_at AS "closedAt"`

/** Findings that are open, the oldest first; with `closed`, those that were closed. */
export async function listEvidence(sql: Sql, { closed, limit }: { closed: boolean; limit: number }): Promise<EvidenceRow[]> {
  const { rows } = await sql.query<EvidenceRow>({
    text: `SELECT ${COLUMNS} FROM evidence WHERE (closed_at IS NOT NULL) = $1 ORDER BY id LIMIT $2`,
    values: [closed, limit],
  })
  return rows
}

/** One finding with its file. */
export async function findEvidence(sql: Sql, id: bigint): Promise<(EvidenceRow & { document: string | null }) | undefined> {
  const { rows } = await sql.query<EvidenceRow & { document: string | null }>({
    text: `SELECT ${COLUMNS}, document FROM evidence WHERE id = $1`,
    values: [id],
  })
  return rows[0]
}

export interface HubFindings {
  hub: string
  /** That are open. */
  findings: number
  /** Groups that are followed no further. */
  stopped: number
}

/** Whether this is known, and not closed. */
export async function isEvidenceOpen(sql: Sql, found: Pick<Finding, 'hub' | 'groupId' | 'kind' | 'incarnation' | 'seq'>): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'is_evidence_open',
    text: `SELECT FROM evidence WHERE hub = $1 AND group_id = $2 AND kind = $3 AND incarnation = $4 AND seq = $5 AND closed_at IS NULL`,
    values: [found.hub, found.groupId, found.kind, found.incarnation, found.seq],
  })
  return rows.length > 0
}

/** How many findings are open about each hub. */
export async function countEvidence(sql: Sql): Promise<HubFindings[]> {
  const { rows } = await sql.query<HubFindings>(
    `SELECT hub, count(*)::integer AS findings, count(DISTINCT group_id) FILTER (WHERE stops)::integer AS stopped
       FROM evidence WHERE closed_at IS NULL GROUP BY hub ORDER BY hub`,
  )
  return rows
}

/**
 * Closes a finding. A group that it has stopped is followed again if nothing else that is open stops it, and the new incarnation that was
 * too much is let in. Call it in a transaction. @returns whether it was open, and whether a group goes on
 */
export async function closeEvidence(sql: Sql, id: bigint): Promise<{ closed: boolean; resumed: boolean }> {
  const { rows } = await sql.query<{
    hub: string
    groupId: Buffer
    roomId: string
    stops: boolean
    kind: EvidenceKind
    incarnation: number
  }>({
    text: `UPDATE evidence SET closed_at = now() WHERE id = $1 AND closed_at IS NULL
           RETURNING hub, group_id AS "groupId", room_id AS "roomId", stops, kind, incarnation`,
    values: [id],
  })
  const [found] = rows
  if (!found) return { closed: false, resumed: false }
  if (!found.stops) return { closed: true, resumed: false }
  const { rowCount } = await sql.query({
    text: `UPDATE followed_group f SET stopped = NULL, accepted_incarnation = CASE WHEN $4 = 'new-incarnation' THEN $5::integer ELSE f.accepted_incarnation END
            WHERE f.hub = $1 AND f.room_id = $3 AND coalesce(f.mls_group_id, f.group_id) = $2
              AND NOT EXISTS (SELECT FROM evidence e WHERE e.hub = $1 AND e.group_id = $2 AND e.stops AND e.closed_at IS NULL)`,
    values: [found.hub, found.groupId, found.roomId, found.kind, found.incarnation],
  })
  return { closed: true, resumed: (rowCount ?? 0) > 0 }
}

/** Deletes what was closed 400 days ago, and what stops nothing and was found then. */
export async function forgetEvidence(sql: Sql): Promise<void> {
  await sql.query(
    "DELETE FROM evidence WHERE closed_at < now() - interval '400 days' OR (NOT stops AND closed_at IS NULL AND found_at < now() - interval '400 days')",
  )
}
