import type { Sql } from '../../platform/postgres/sql.js'
import type { LeafCertificateRow } from '../repository/submissions.repository.js'

/** The device list of a user, as far as one device needs it. */
export interface OwnList {
  /** Number of the device's active certificate; null: it has none, or the user is of another provider. */
  readonly certificate: number | null
  /** Whole entries in their order. They were checked when they came. */
  readonly entries: readonly Uint8Array[]
  /** Of a list that another provider gave, entry by entry: number of the entry that ended the certificate in it; null: none did. */
  readonly ends: readonly (number | null)[] | null
}

/** The present list of a user of this or another provider. @returns undefined: none */
export async function readOwnList(sql: Sql, userId: bigint, deviceId: bigint): Promise<OwnList | undefined> {
  const { rows } = await sql.query<OwnList>({
    name: 'read_own_list',
    text: `SELECT (SELECT c.number FROM device_certificate c
                    WHERE c.account_id = l.account_id AND c.identity = l.identity AND c.device_id = $2 AND c.ended IS NULL
                      AND c.not_before <= now() AND c.not_after >= now()) AS certificate,
                  ARRAY(SELECT e.bytes FROM device_list_entry e
                         WHERE e.account_id = l.account_id AND e.identity = l.identity AND e.number <= l.number ORDER BY e.number) AS entries,
                  NULL::int[] AS ends
             FROM device_list l WHERE l.account_id = $1
            UNION ALL
           SELECT NULL, f.entries, f.ends FROM foreign_device_list f WHERE f.account_id = $1`,
    values: [userId, deviceId],
  })
  return rows[0]
}

/** Those of these clients that have a leaf in the group, for all that the server knows. */
export async function presentNamed(sql: Sql, gid: bigint, clients: readonly string[]): Promise<string[]> {
  if (clients.length === 0) return []
  const { rows } = await sql.query<{ client: string }>({
    name: 'present_named',
    text: `SELECT d.client_uri AS client FROM unnest($2::text[]) AS x (client)
            CROSS JOIN LATERAL (SELECT * FROM device WHERE device.client_uri = x.client OFFSET 0) d
            WHERE EXISTS (SELECT FROM member m WHERE m.device_id = d.id AND m.gid = $1 AND m.until_seq IS NULL OFFSET 0)`,
    values: [gid, clients],
  })
  return rows.map(({ client }) => client)
}

/** The active certificates of devices of this provider, valid now. */
export async function activeCertificates(sql: Sql, deviceIds: readonly bigint[]): Promise<LeafCertificateRow[]> {
  if (deviceIds.length === 0) return []
  const { rows } = await sql.query<LeafCertificateRow>({
    name: 'active_certificates',
    text: `SELECT c.device_id AS "deviceId", c.number, c.ended FROM unnest($1::bigint[]) AS x (device_id)
            CROSS JOIN LATERAL (
              SELECT * FROM device_certificate c WHERE c.device_id = x.device_id AND c.ended IS NULL AND c.not_before <= now() AND c.not_after >= now() OFFSET 0
            ) c`,
    values: [deviceIds],
  })
  return rows
}

/** Whether the user has a device list. */
export async function hasDeviceList(sql: Sql, userId: bigint): Promise<boolean> {
  const { rows } = await sql.query({ name: 'has_device_list', text: 'SELECT FROM device_list WHERE account_id = $1', values: [userId] })
  return rows.length > 0
}
