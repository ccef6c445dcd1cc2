import { z } from 'zod'
import type { Sql } from '../../platform/postgres/sql.js'
import type { InboxItem } from './inbox-item.js'

interface Row {
  id: bigint
  kind: InboxItem['kind']
  payload: unknown
  groupId: Buffer | null
  /** Where it is another one. */
  mlsGroupId: Buffer | null
  incarnation: number | null
  seq: bigint | null
  epoch: bigint | null
  expiresAt: Date | null
  welcome: Buffer | null
  leaving: string[] | null
  frozen: 'reinit' | 'reset' | null
  successor: Buffer | null
}

const ClientPayload = z.object({ client: z.string() })
const NumberPayload = z.object({ number: z.int() })

/** What items that are of no group carry in the table; times in seconds. */
const PAYLOADS = {
  'key-packages.low': z.object({ cipher_suite: z.int(), remaining: z.int().nonnegative() }),
  'device.added': ClientPayload,
  'device.revoked': ClientPayload,
  'identity.changed': z.object({ user: z.string() }),
  'device-list.changed': NumberPayload,
  'device-list.dropped': NumberPayload,
  'device-list.pending': z.object({ effective_at: z.int().transform((at) => new Date(at * 1_000)) }),
} as const

/**
 * The device's oldest items, `limit` at most, without those in `known` (already on their way to the device). Ids are no cursor: a
 * lower one may become visible after a higher one. Welcomes past `maxBytes` wait for the next read; the first always fits.
 */
export async function readInbox(
  sql: Sql,
  deviceId: bigint,
  known: readonly bigint[],
  limit: number,
  maxBytes: number,
): Promise<InboxItem[]> {
  const { rows } = await sql.query<Row>({
    name: 'read_inbox',
    text: `
      SELECT id, kind, payload, group_id AS "groupId", mls_group_id AS "mlsGroupId", incarnation, seq, epoch, expires_at AS "expiresAt", bytes AS welcome,
             CASE WHEN kind = 'group.leaving' THEN ARRAY(
               SELECT d.client_uri FROM pending_removal r JOIN device d ON d.id = r.device_id WHERE r.gid = page.gid ORDER BY d.client_uri
             ) END AS leaving, frozen, successor
        FROM (
          SELECT i.id, i.kind, i.payload, i.gid, g.group_id, g.mls_group_id, g.incarnation, g.frozen,
                 CASE WHEN i.kind = 'group.frozen' AND g.successor_group_id IS NOT NULL THEN successor_address(g) END AS successor, i.seq, w.epoch, w.expires_at, w.bytes,
                 sum(coalesce(octet_length(w.bytes), 0)) OVER (ORDER BY i.id) - coalesce(octet_length(w.bytes), 0) AS preceding
            FROM (SELECT * FROM inbox WHERE device_id = $1 AND id <> ALL ($2::bigint[]) ORDER BY id LIMIT $3) i
            LEFT JOIN groups g ON g.gid = i.gid
            LEFT JOIN welcome w ON i.kind = 'welcome' AND g.deleted_at IS NULL AND w.gid = i.gid AND w.seq = i.seq AND w.ordinal = i.ordinal
        ) page
       WHERE preceding < $4 ORDER BY id`,
    values: [deviceId, known, limit, maxBytes],
  })
  return rows.flatMap((row) => toItem(row) ?? [])
}

/** Nothing for a Welcome whose bytes retention took between two reads; its row follows. */
function toItem(row: Row): InboxItem | undefined {
  const { id, kind, groupId, incarnation, payload } = row
  if (kind === 'key-packages.low') return { id, kind, ...PAYLOADS[kind].parse(payload) }
  if (kind === 'device.added' || kind === 'device.revoked') return { id, kind, ...PAYLOADS[kind].parse(payload) }
  if (kind === 'identity.changed') return { id, kind, ...PAYLOADS[kind].parse(payload) }
  if (kind === 'device-list.changed' || kind === 'device-list.dropped') return { id, kind, ...PAYLOADS[kind].parse(payload) }
  if (kind === 'device-list.pending') return { id, kind, ...PAYLOADS[kind].parse(payload) }
  if (groupId === null || incarnation === null) return undefined
  const group = { group_id: groupId, incarnation }
  if (kind === 'group.leaving') return { id, kind, ...group, clients: row.leaving ?? [] }
  if (kind === 'group.frozen') return { id, ...frozenItem(row), ...group }
  if (kind !== 'welcome') return { id, kind, ...group }
  if (row.seq === null || row.epoch === null || row.expiresAt === null || row.welcome === null) return undefined
  const ids = row.mlsGroupId === null ? group : { ...group, mls_group_id: row.mlsGroupId }
  return { id, kind, ...ids, seq: row.seq, epoch: row.epoch, expires_at: row.expiresAt, welcome: row.welcome }
}

/** As the group is now, whatever it was when the item was written. */
function frozenItem({
  frozen,
  successor,
}: Row): { kind: 'group.thawed' } | { kind: 'group.frozen'; reason: 'reinit' | 'reset'; successor?: Buffer } {
  if (frozen === null) return { kind: 'group.thawed' }
  return { kind: 'group.frozen', reason: frozen, ...(successor ? { successor } : {}) }
}

/** Acknowledging is deleting: durable before the caller continues. @returns the kinds of what went; other devices' ids match nothing */
export async function acknowledgeInbox(sql: Sql, deviceId: bigint, ids: readonly bigint[]): Promise<InboxItem['kind'][]> {
  const { rows } = await sql.query<{ kind: InboxItem['kind'] }>({
    name: 'acknowledge_inbox',
    text: 'DELETE FROM inbox WHERE device_id = $1 AND id = ANY ($2::bigint[]) RETURNING kind',
    values: [deviceId, ids],
  })
  return rows.map((row) => row.kind)
}
